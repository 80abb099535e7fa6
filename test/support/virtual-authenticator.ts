/** Chromium's own authenticator in software (the DevTools domain WebAuthn), so that no key has to be touched. */
import type { CDPSession, Page } from 'playwright-core';

export interface VirtualAuthenticator {
  /** Whether somebody is at the key. A ceremony that began without anybody waits until it is given up. */
  present(there: boolean): Promise<void>;
  /** Whether finger, face or PIN are right. */
  verified(right: boolean): Promise<void>;
  credentials(): Promise<Array<{ credentialId: string; signCount: number; isResidentCredential: boolean }>>;
  /** Puts the counter of every credential back, as a copy would have it. */
  rewind(): Promise<void>;
}

/** @param transport `internal` is built into the device, `usb` is a key that is plugged in. */
export async function virtualAuthenticator(
  page: Page,
  { transport = 'internal', synced = false }: { transport?: 'internal' | 'usb'; synced?: boolean } = {},
): Promise<VirtualAuthenticator> {
  const devtools: CDPSession = await page.context().newCDPSession(page);
  await devtools.send('WebAuthn.enable');
  const { authenticatorId } = await devtools.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      ...{ protocol: 'ctap2', ctap2Version: 'ctap2_1', transport },
      ...{ hasResidentKey: true, hasUserVerification: true, isUserVerified: true },
      ...{ automaticPresenceSimulation: true, defaultBackupEligibility: synced, defaultBackupState: synced },
    },
  });
  const credentials = async () => (await devtools.send('WebAuthn.getCredentials', { authenticatorId })).credentials;
  return {
    present: async (enabled) => {
      await devtools.send('WebAuthn.setAutomaticPresenceSimulation', { authenticatorId, enabled });
    },
    verified: async (isUserVerified) => {
      await devtools.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified });
    },
    credentials,
    async rewind() {
      for (const credential of await credentials()) {
        const { credentialId } = credential;
        await devtools.send('WebAuthn.removeCredential', { authenticatorId, credentialId });
        await devtools.send('WebAuthn.addCredential', { authenticatorId, credential: { ...credential, signCount: 0 } });
      }
    },
  };
}
