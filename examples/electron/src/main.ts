/** The thin shell: one instance, one window, the system's browser. What matters is in flow.ts. */
import { join } from 'node:path';
import { app, BrowserWindow, ipcMain, shell } from 'electron';
import { createFlow, SignInRequired } from './flow.ts';
import { createSafeStore } from './safe-store.ts';

const SCHEME = 'com.example.latchkey-demo';
process.loadEnvFile(join(app.getAppPath(), '.env')); // an app that you ship has both written in
const { LATCHKEY_ISSUER: issuer = 'http://localhost:3000', LATCHKEY_CLIENT_ID: clientId = '' } = process.env;

// A second start only delivers its address (custom scheme, Windows and Linux) to the first one.
if (app.requestSingleInstanceLock()) start();
else app.quit();

async function start(): Promise<void> {
  app.setAsDefaultProtocolClient(SCHEME);
  const flow = createFlow({
    issuer,
    clientId,
    customSchemeUri: `${SCHEME}:/callback`,
    openBrowser: (url) => shell.openExternal(url),
    store: createSafeStore(join(app.getPath('userData'), 'session.bin')),
  });
  app.on('second-instance', (_event, argv) => {
    const address = argv.find((argument) => argument.startsWith(`${SCHEME}:`));
    if (address) flow.handleUrl(address);
    showWindow();
  });
  app.on('open-url', (event, address) => {
    event.preventDefault(); // macOS delivers it here
    flow.handleUrl(address);
  });
  app.on('window-all-closed', () => app.quit());

  ipcMain.handle('account', () =>
    answer(async () => (await flow.callApi(new URL('/api/v1/account', issuer).href)).json()),
  );
  ipcMain.handle('sign-in', () =>
    answer(async () => {
      await flow.signIn();
      showWindow();
    }),
  );
  ipcMain.handle('sign-out', () => answer(flow.signOut));

  await app.whenReady();
  const window = new BrowserWindow({
    width: 640,
    height: 480,
    webPreferences: { preload: join(import.meta.dirname, 'preload.cjs') },
  });
  window.webContents.setWindowOpenHandler(() => ({ action: 'deny' }));
  window.webContents.on('will-navigate', (event) => event.preventDefault());
  await window.loadFile(join(import.meta.dirname, '..', 'index.html'));
}

function showWindow(): void {
  const [window] = BrowserWindow.getAllWindows();
  if (window?.isMinimized()) window.restore();
  window?.focus();
}

/** Errors cross to the window as words; tokens never do. */
async function answer(work: () => Promise<unknown>) {
  try {
    return { value: await work() };
  } catch (error) {
    return { signInRequired: error instanceof SignInRequired, error: (error as Error).message };
  }
}
