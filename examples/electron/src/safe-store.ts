/** Keeps one secret in a file that only this person's keychain opens. */
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { safeStorage } from 'electron';

export function createSafeStore(file: string) {
  async function save(secret: string): Promise<void> {
    // Without a keychain nothing is written: the person signs in again after the next start.
    if (!(await safeStorage.isAsyncEncryptionAvailable())) return;
    const encrypted = await safeStorage.encryptStringAsync(secret);
    await writeFile(`${file}.new`, encrypted, { mode: 0o600, flush: true });
    await rename(`${file}.new`, file);
  }

  async function load(): Promise<string | null> {
    const encrypted = await readFile(file).catch(() => null);
    if (!encrypted) return null;
    try {
      const { result, shouldReEncrypt } = await safeStorage.decryptStringAsync(encrypted);
      if (shouldReEncrypt) await save(result);
      return result;
    } catch {
      return null; // another keychain than the one that wrote it
    }
  }

  return { load, save, clear: () => rm(file, { force: true }) };
}
