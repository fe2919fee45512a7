import type { JSX } from 'hono/jsx/jsx-runtime';
import { Failure } from '../../kernel/failure.ts';

/** Writes a page as HTML. Every text was escaped by the JSX runtime; a component that waits for something is a fault. */
export const render = (node: JSX.Element): string => {
  const html = node.toString();
  if (typeof html !== 'string') throw new Failure('view_not_synchronous', 'a view waits for something');
  return `<!doctype html>${html}`;
};
