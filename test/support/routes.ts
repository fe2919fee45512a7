import type { World } from './world.ts';

export interface Route {
  readonly method: string;
  /** As it was declared: `/usager/mandats/:id`. */
  readonly path: string;
}

/** Every route that the application serves, read from the server itself: a new one is here without anybody's help. */
export const routesOf = (world: World): Route[] => {
  const above: string[] = [];
  const routes: Route[] = [];
  for (const line of world.app.http.printRoutes({ commonPrefix: false }).split('\n')) {
    const [, indent = '', part = '', methods] = /^((?:[│ ] {3})*)[├└]── (\S*)(?: \(([A-Z, ]+)\))?$/.exec(line) ?? [];
    if (!part) continue;
    const depth = indent.length / 4;
    const path = `${depth ? above[depth - 1] : ''}${part}`;
    above[depth] = path;
    for (const method of methods?.split(', ') ?? []) routes.push({ method, path });
  }
  return routes;
};
