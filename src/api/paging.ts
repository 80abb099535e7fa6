/** Pages of a short list by the key of the last entry shown: an entry that comes or goes meanwhile shifts no other. */
import { AppError } from '../errors.ts';

/** The place of an entry in its list's order; two entries never share one. */
export type Key = string[];

export interface Order<Item> {
  keyOf(item: Item): Key;
  compare(left: Key, right: Key): number;
}

export interface Page<Item> {
  items: Item[];
  next: string | null;
}

/** @throws AppError invalid_request for a cursor that is none of ours. */
export function pageOf<Item>(
  all: Item[],
  query: { limit: number; cursor?: string | undefined },
  order: Order<Item>,
): Page<Item> {
  const entries = all.map((item) => ({ item, key: order.keyOf(item) }));
  entries.sort((left, right) => order.compare(left.key, right.key));
  const after = query.cursor === undefined ? undefined : keyOf(query.cursor);
  const rest = after ? entries.filter(({ key }) => order.compare(key, after) > 0) : entries;
  const page = rest.slice(0, query.limit);
  const last = rest.length > page.length ? page.at(-1) : undefined;
  return { items: page.map(({ item }) => item), next: last ? cursorOf(last.key) : null };
}

/** Compares keys member by member, each by its own direction. */
export function compareKeys(...directions: Array<'up' | 'down'>): (left: Key, right: Key) => number {
  return (left, right) => {
    for (const [index, direction] of directions.entries()) {
      const a = left[index] ?? '';
      const b = right[index] ?? '';
      if (a !== b) return a < b === (direction === 'up') ? -1 : 1;
    }
    return 0;
  };
}

function cursorOf(key: Key): string {
  return Buffer.from(JSON.stringify(key)).toString('base64url');
}

function keyOf(cursor: string): Key {
  const key = parsed(cursor);
  if (Array.isArray(key) && key.every((member) => typeof member === 'string') && cursorOf(key) === cursor) return key;
  throw noCursor();
}

export function noCursor(): AppError {
  return new AppError('invalid_request', {
    message: 'The cursor is not one that this list gave as `next`.',
    fields: [{ field: 'cursor', code: 'invalid_cursor' }],
  });
}

function parsed(cursor: string): unknown {
  try {
    return JSON.parse(Buffer.from(cursor, 'base64url').toString());
  } catch {
    return undefined;
  }
}
