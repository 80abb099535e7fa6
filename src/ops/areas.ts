/** The parts of the service that answer requests, as the metrics name them: few, whatever strangers ask for. */

export type Area = 'authorize' | 'token' | 'protocol' | 'api' | 'asset' | 'operations' | 'page';

const OPERATIONS = new Set(['/livez', '/readyz', '/healthz', '/metrics']);

export const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

export function areaOf(path: string): Area {
  if (path === '/oauth2/token') return 'token';
  if (path.startsWith('/oauth2/authorize')) return 'authorize';
  if (path.startsWith('/oauth2/') || path.startsWith('/.well-known/')) return 'protocol';
  if (path.startsWith('/api/')) return 'api';
  if (path.startsWith('/assets/')) return 'asset';
  return OPERATIONS.has(path) ? 'operations' : 'page';
}
