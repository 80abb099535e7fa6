/** Refuses the requests of addresses that the operator blocks, before anything else is done for them. */
import type { Listener } from './front.ts';
import { refuse } from './refusal.ts';
import { requestContext } from './request-context.ts';

export interface TurnAwayOptions {
  rules: {
    /** To be awaited before the rules are asked; undefined when that is not necessary. */
    refreshed(): Promise<void> | undefined;
    verdictOf(address: string): string | undefined;
  };
  /** Paths for everybody: a probe is not somebody to be turned away, and waits for no database to say so. */
  free: readonly string[];
  onTurnedAway(): void;
  next: Listener;
}

export function turnAway({ rules, free, onTurnedAway, next }: TurnAwayOptions): Listener {
  const decide: Listener = (req, res) => {
    if (rules.verdictOf(requestContext(req).address) !== 'block') return next(req, res);
    onTurnedAway();
    refuse(req, res, {
      code: 'forbidden',
      status: 403,
      detail: 'The operator of this service takes no requests from your network. Ask the operator if that is wrong.',
    });
  };
  return (req, res) => {
    if (free.includes(req.url ?? '')) return next(req, res);
    const refreshed = rules.refreshed();
    if (refreshed) void refreshed.then(() => decide(req, res));
    else decide(req, res);
  };
}
