/** What the window may ask of the main process: three questions, no token. */
import { contextBridge, ipcRenderer } from 'electron';

contextBridge.exposeInMainWorld('latchkey', {
  account: () => ipcRenderer.invoke('account'),
  signIn: () => ipcRenderer.invoke('sign-in'),
  signOut: () => ipcRenderer.invoke('sign-out'),
});
