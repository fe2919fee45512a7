import type { ExportFilter } from '../../actions/export.ts';
import { pairwise } from '../../delegation/session.ts';
import type { View } from '../../journal/visible.ts';
import { readDay } from '../../kernel/calendar.ts';
import { isId } from '../../kernel/ids.ts';
import { readReason } from '../../organisations/name.ts';
import { isTheme } from '../../organisations/theme.ts';
import type { Service } from '../../services/service.ts';
import type { Site } from '../site.ts';
import type { QueryValues } from '../views/administration.tsx';

/** Reads a day; undefined when nothing was typed, null when it is no day. */
const dayOf = (value: string): string | undefined | null => (value.trim() === '' ? undefined : (readDay(value) ?? null));

export type Query =
  | { readonly values: QueryValues; readonly picked: ExportFilter; readonly reason: string; readonly before?: number }
  | { readonly values: QueryValues; readonly errors: { field: string; code: string }[] };

const NAMES = ['reason', 'from', 'to', 'service', 'theme', 'demarche', 'outcome', 'session'] as const;

/** Reads what an agent asks of the journal. Only the administration's own services can be named: another's gives nothing (claim V11). */
export const readQuery = (given: (name: string) => string, services: readonly Service[]): Query => {
  const values: QueryValues = Object.fromEntries(NAMES.map((name) => [name, given(name)]).filter(([, value]) => value !== ''));
  const errors: { field: string; code: string }[] = [];
  const reason = readReason(values.reason ?? '');
  if (!reason) errors.push({ field: 'reason', code: values.reason?.trim() ? 'reason_format' : 'reason_required' });
  const from = dayOf(values.from ?? '');
  const to = dayOf(values.to ?? '');
  if (from === null) errors.push({ field: 'from', code: 'date_format' });
  if (to === null) errors.push({ field: 'to', code: 'date_format' });
  if (values.session !== undefined && !isId('dls', values.session)) errors.push({ field: 'session', code: 'session_format' });
  if (errors.length || !reason) return { values, errors };
  const before = Number(given('before'));
  return {
    values,
    reason,
    picked: {
      ...(from ? { from } : {}),
      ...(to ? { to } : {}),
      ...(services.some((service) => service.id === values.service) ? { service: values.service as string } : {}),
      ...(isTheme(values.theme) ? { theme: values.theme } : {}),
      ...(values.demarche ? { demarche: values.demarche } : {}),
      ...(values.outcome ? { outcome: values.outcome } : {}),
      ...(values.session ? { session: values.session } : {}),
    },
    ...(Number.isSafeInteger(before) && before > 0 ? { before } : {}),
  };
};

/** The services of an administration. */
export const servicesOf = async (site: Site, administration: string): Promise<Service[]> =>
  (await site.services.list()).filter((service) => service.administrationId === administration);

/** What an administration sees of an entry (journal/visible.ts): aidants by another pseudonym at each of its services. */
export const viewOf = (site: Site, administration: string, services: readonly Service[]): Extract<View, { who: 'administration' }> => ({
  who: 'administration',
  id: administration,
  pseudonym: (aidant, service) => {
    const sector = services.find(({ id }) => id === service)?.sector;
    return sector === undefined ? undefined : pairwise(site.pairwiseKey.reveal(), 'act', sector, aidant);
  },
});
