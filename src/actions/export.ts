import type { ApprovalId } from '../approvals/approval.ts';
import type { Filter } from '../journal/journal.ts';
import { KINDS_SEEN } from '../journal/visible.ts';
import { addDays, startOfDay } from '../kernel/calendar.ts';
import { canonical } from '../kernel/canonical.ts';
import { sha256 } from '../kernel/crypto.ts';
import type { AdministrationId, Id, StaffId } from '../kernel/ids.ts';

export type ExportId = Id<'exp'>;

/** What an agent picks: days of Paris, both included; the rest as the journal names it. */
export interface ExportFilter {
  readonly from?: string;
  readonly to?: string;
  readonly service?: string;
  readonly theme?: string;
  readonly demarche?: string;
  readonly outcome?: string;
  readonly session?: string;
}

/** A file of entries of an administration's own services, asked for and perhaps not taken yet. */
export interface JournalExport {
  readonly id: ExportId;
  readonly administrationId: AdministrationId;
  readonly askedBy: StaffId;
  readonly reason: string;
  readonly filter: ExportFilter;
  /** Nothing at this index or above is in it. */
  readonly size: number;
  readonly entries: number;
  readonly persons: number;
  readonly askedAt: Date;
  /** Above `MOST_PERSONS`: a second agent says yes first. */
  readonly approvalId?: ApprovalId;
  readonly approvedBy?: string;
  readonly doneAt?: Date;
}

/** People whom one agent takes away in a day alone (claim J9). The database holds the same rule. */
export const MOST_PERSONS = 1000;
export const DAY_MS = 86_400_000;
/** How long what was asked waits for a second agent, then for whoever asked. */
export const WAITS_MS = 7 * DAY_MS;

/** Says whether a second person is needed, given the people whom the agent took away alone since yesterday. */
export const needsSecond = (persons: number, recent: number): boolean => persons > 0 && persons + recent > MOST_PERSONS;

/** What the second agent approves: 32 bytes. */
export const hashOf = ({ id, administrationId, askedBy, reason, filter, size, entries, persons }: Omit<JournalExport, 'askedAt'>): Buffer =>
  sha256('relais/journal/export/v1\n', canonical({ id, administrationId, askedBy, reason, filter: { ...filter }, size, entries, persons }));

/** The same question to the journal: of this administration alone, and of the kinds that it has a row for. */
export const filterOf = (administration: string, { from, to, ...rest }: ExportFilter): Filter => ({
  administration,
  types: KINDS_SEEN.administration,
  ...rest,
  ...(from === undefined ? {} : { from: startOfDay(from) }),
  ...(to === undefined ? {} : { until: startOfDay(addDays(to, 1)) }),
});
