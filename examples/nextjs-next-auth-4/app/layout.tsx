import type { Metadata } from 'next';
import type { ReactNode } from 'react';
import { Session } from './session';
import './style.css';

export const metadata: Metadata = { title: 'Next.js with Latchkey' };

export default function Layout({ children }: { children: ReactNode }) {
  return (
    <html lang="en">
      <body>
        <Session>
          <main>{children}</main>
        </Session>
      </body>
    </html>
  );
}
