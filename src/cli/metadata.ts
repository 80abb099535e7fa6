/** Client metadata at this door, before anything is opened. What a client may be, the protocol core decides later. */
import { UsageFault } from './failure.ts';

/** @throws UsageFault when a member has a form that no client can have. */
export function checkMetadata(metadata: Record<string, unknown>): void {
  for (const member of ['redirect_uris', 'post_logout_redirect_uris', 'grant_types', 'response_types']) {
    const value = metadata[member];
    if (value !== undefined && !(Array.isArray(value) && value.every((each) => typeof each === 'string'))) {
      throw new UsageFault(`${member} must be a list of texts, such as '["…"]'.`);
    }
  }
}
