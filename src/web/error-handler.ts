import type { FastifyError } from 'fastify';
import { Failure } from '../kernel/failure.ts';

/** The one place where a code becomes an HTTP status. A code that is not here is a refusal of what was asked: 400. */
const STATUS: Readonly<Record<string, number>> = {
  not_found: 404,
  mandate_unknown: 404,
  session_unknown: 404,
  request_unknown: 404,
  csrf: 403,
  not_habilitated: 403,
  invited_not_enrolled: 403,
  operateur_space: 403,
  aidant_suspended: 403,
  organisation_suspended: 403,
  upstream_weak: 403,
  upstream_invalid: 403,
  upstream_refused: 403,
  state_mismatch: 403,
  interaction_not_yours: 403,
  self_dealing: 403,
  minor: 403,
  export_factor: 403,
  export_waits: 409,
  export_same_person: 409,
  export_over: 410,
  export_too_large: 413,
  second_agent_required: 403,
  protected_person: 403,
  person_deceased: 403,
  witness_is_aidant: 403,
  witness_is_person: 403,
  already_witnessed: 409,
  witness_gone: 409,
  renewal_refused: 409,
  delegation_not_supported: 403,
  theme_not_covered: 403,
  demarche_not_covered: 403,
  demarche_not_offered: 409,
  demarche_not_read_only: 409,
  mandate_used: 410,
  mandate_barred: 410,
  service_disabled: 403,
  unmet_level: 403,
  identity_incomplete: 403,
  identity_drift: 403,
  other_organisation_selected: 409,
  proof_unsealed: 409,
  usager_mismatch: 409,
  already_agreed: 409,
  event_differs: 409,
  session_expired: 401,
  token_refused: 401,
  signature_refused: 401,
  mandate_revoked: 410,
  mandate_ended: 410,
  draft_expired: 410,
  interaction_expired: 410,
  enrolment_link_invalid: 410,
  phone_link_over: 410,
  loss_link_invalid: 410,
  time_out_of_range: 422,
  demarche_unknown: 422,
  outside_mandate: 422,
  outside_session: 422,
  insufficient_authentication: 401,
  session_too_old: 422,
  stream_token_refused: 401,
  insufficient_scope: 403,
  stream_unknown: 404,
  stream_exists: 409,
  stream_malformed: 400,
  too_many_codes: 429,
  too_many_requests: 429,
  stop_capped: 429,
  too_many_reports: 429,
  too_large: 413,
  scan_too_large: 413,
  scan_kind: 415,
  scan_missing: 422,
  scan_one_file: 422,
  scan_enough: 409,
  unsupported_media_type: 415,
  upstream_unavailable: 503,
  unavailable: 503,
  journal_unavailable: 503,
  journal_unconfirmed: 503,
  outcome_unknown: 503,
  unexpected: 500,
};

export const statusOf = (code: string): number => STATUS[code] ?? 400;

/** The failures that are not a fault of ours, or that pass. */
const FAILURES: Readonly<Record<string, string>> = {
  database_standby: 'unavailable',
  journal_full: 'journal_unavailable',
  journal_key_unreadable: 'journal_unavailable',
  journal_unsealed: 'journal_unconfirmed',
  journal_unwitnessed: 'journal_unconfirmed',
  log_busy: 'too_many_requests',
  outcome_unknown: 'outcome_unknown',
  session_ended: 'session_expired',
  signing_key_missing: 'unavailable',
  unstorable_text: 'invalid_request',
};

/** Reads what a thrown error means for whoever asked. A fault of ours says nothing of itself: the operator's log has it. */
export const codeOf = (error: FastifyError | Error): string => {
  if (error instanceof Failure) return FAILURES[error.code] ?? 'unexpected';
  const status = 'statusCode' in error && typeof error.statusCode === 'number' ? error.statusCode : 500;
  if (status === 503) return error.cause instanceof Error ? codeOf(error.cause) : 'unavailable'; // the provider's word for what passes
  if (status === 413) return 'too_large';
  if (status === 415) return 'unsupported_media_type';
  if (status === 404) return 'not_found';
  if (status === 429) return 'too_many_requests';
  if (status >= 400 && status < 500) return 'invalid_request';
  return 'code' in error && typeof error.code === 'string' && /^(ECONN|57P|08|53)/.test(error.code) ? 'unavailable' : 'unexpected';
};
