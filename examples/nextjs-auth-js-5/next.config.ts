import type { NextConfig } from 'next';

const config: NextConfig = {
  // Next would otherwise look for a workspace root further up, because the repository around has a lock file too.
  turbopack: { root: import.meta.dirname },
};

export default config;
