/** Every address that the running application answers, from its routers themselves: what is new is there, too. */
import Router from '@koa/router';
import type { Door, Stage } from './doors.ts';

export interface Route {
  method: string;
  /** As it was mounted, with its parameters: `/login/:uid`. */
  path: string;
}

const routers = new Set<Router>();
const { routes } = Router.prototype;
Router.prototype.routes = function remembered(...given: []) {
  routers.add(this as Router);
  return routes.apply(this, given);
};

/** Routes of the applications that this process has started, each once. */
export function declaredRoutes(): Route[] {
  const found = new Map<string, Route>();
  for (const { stack } of routers) {
    for (const { path, methods } of stack) {
      for (const method of methods) {
        const route = { method, path: String(path) };
        if (method !== 'HEAD') found.set(`${method} ${route.path}`, route);
      }
    }
  }
  return [...found.values()];
}

/** Whether a request to this path is one of the route. */
export function answers(route: Route, path: string): boolean {
  const parts = [route.path.split('/'), path.split('/')] as const;
  return (
    parts[0].length === parts[1].length &&
    parts[0].every((part, index) => part.startsWith(':') || part.startsWith('{') || part === parts[1][index])
  );
}

/** Doors of the stage, and a plain one for each route that has none: with the parameters of the others at hand. */
export function allDoors(stage: Stage): Door[] {
  const names = Object.assign({}, ...stage.doors.map(({ params }) => params)) as Record<string, string>;
  const some = Object.fromEntries(Object.entries(names).slice(0, 30));
  const missing = declaredRoutes().filter(
    (route) => !stage.doors.some((door) => door.method === route.method && answers(route, door.path)),
  );
  const authorize = stage.doors.find(({ name }) => name === 'authorize') as Door;
  return [
    ...stage.doors,
    { ...authorize, name: 'authorize by POST', method: 'POST', place: 'form' },
    // No token of a form, so that nothing random ends the session of the stage.
    ...missing.map((route) => plainDoor(stage, route, { ...some, csrf: 'none' })),
  ];
}

function plainDoor(stage: Stage, { method, path }: Route, params: Record<string, string>): Door {
  const api = path.startsWith('/api/');
  const json = api && (method === 'POST' || method === 'PATCH' || method === 'PUT');
  const cookie = path.includes(':uid') ? stage.cookies.underWay : stage.cookies.signedIn;
  return {
    name: `${method} ${path}`,
    method,
    path: path.replace(':uid', stage.flow).replace(/[:{]\w+\}?/g, 'unknown'),
    place: json ? 'json' : method === 'POST' ? 'form' : 'query',
    params,
    required: [],
    headers: api ? { authorization: `Bearer ${stage.tokens.access_token}` } : { accept: 'text/html', cookie },
    format: api ? 'problem' : 'page',
    status: 0,
  };
}
