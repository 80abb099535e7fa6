/**
 * Lets so many requests begin in one turn of the event loop, and the others in the next ones, in order of arrival: when
 * hundreds come at once, timers and those who are further on get their turn in between.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Listener } from './front.ts';

const PER_TURN = 8;

export function byTurns(next: Listener): Listener {
  let waiting: Array<[IncomingMessage, ServerResponse]> = [];
  let begun = 0;
  let scheduled = false;

  function schedule(): void {
    if (scheduled) return;
    scheduled = true;
    setImmediate(turn);
  }

  function turn(): void {
    scheduled = false;
    const now = waiting.slice(0, PER_TURN);
    waiting = waiting.slice(PER_TURN);
    begun = now.length;
    if (begun > 0) schedule();
    for (const [req, res] of now) next(req, res);
  }

  return (req, res) => {
    schedule();
    if (begun >= PER_TURN || waiting.length > 0) {
      waiting.push([req, res]);
      return;
    }
    begun += 1;
    next(req, res);
  };
}
