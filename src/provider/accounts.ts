import { type Configuration, errors, type KoaContextWithOIDC } from 'oidc-provider';
import { isDelegatedAccount } from '../delegation/session.ts';
import { rememberedGrant } from './adapter.ts';
import type { Found } from './artefacts.ts';
import { delegatedClaims, identityClaims, type Naming, tokenClaims } from './claims.ts';
import { FRONT_ACR, isFront, REP_SCOPE } from './front.ts';
import type { ProviderParts } from './parts.ts';
import { unavailable } from './unavailable.ts';

const named = (parts: ProviderParts, sector: string): Naming => ({ issuer: parts.issuer, sector, key: parts.keys.pairwise.reveal(), origin: '' });

/** Members of an account, delegated or plain. */
export const createAccounts = (parts: ProviderParts, origin: () => string) => {
  const sectorOf = (ctx: KoaContextWithOIDC): Naming => ({ ...named(parts, String(ctx.oidc.client?.['relais_sector'] ?? '')), origin: origin() });

  const withReceipt = async (found: Found): Promise<Found> => {
    if (!found.delegated || found.delegated.receipt) return found;
    const receipt = await parts.journal.receipt(found.delegated.openedEvent, 5000);
    // Log before act: a session that the journal has not taken gives no code and no token (journal.md §4, 20).
    if (!receipt) throw unavailable('the journal has not taken this session yet');
    return { ...found, delegated: { ...found.delegated, receipt: { index: receipt.index, leaf: receipt.leaf } } };
  };

  const factsOf = async (grantId: string | undefined): Promise<Found | undefined> => {
    if (!grantId) return undefined;
    const found = rememberedGrant(grantId) ?? (await parts.store.findLive('Grant', grantId, parts.clock.now()));
    return found && withReceipt(found);
  };

  const find: NonNullable<Configuration['findAccount']> = async (ctx, accountId, token) => {
    if (isDelegatedAccount(accountId)) {
      // A backstop: an unaware service never receives a delegated account, even from a handler that forgot (delegated-session.md §7).
      const front = ['authorization', 'resume'].includes(ctx.oidc.route ?? '');
      const answering = !front || (ctx.oidc as { result?: { login?: unknown } }).result?.login;
      if (answering && ctx.oidc.client?.['delegation_supported'] !== true) {
        if (front) throw new errors.AccessDenied('this service does not accept delegation');
        return undefined;
      }
    }
    const claims = async (): Promise<{ sub: string; [claim: string]: unknown }> => {
      const found = await factsOf((token as { grantId?: string } | undefined)?.grantId ?? ctx.oidc.entities.Grant?.jti);
      if (found?.delegated)
        return {
          sub: accountId,
          ...delegatedClaims(found.delegated, sectorOf(ctx)),
          ...(isFront(ctx.oidc.client?.['relais_profile']) ? { [REP_SCOPE]: [found.delegated.theme] } : {}),
        };
      return { sub: accountId, ...(found?.usager ? identityClaims(found.usager) : {}) };
    };
    return { accountId, claims };
  };

  const extra: NonNullable<Configuration['extraTokenClaims']> = async (ctx, token) => {
    if (token.kind !== 'AccessToken') return undefined;
    const found = await factsOf((token as { grantId?: string }).grantId);
    if (!found?.delegated) return undefined;
    return { ...tokenClaims(found.delegated, sectorOf(ctx)), ...(isFront(ctx.oidc.client?.['relais_profile']) ? { acr: FRONT_ACR } : {}) } as never;
  };

  return { find, extra, factsOf };
};
