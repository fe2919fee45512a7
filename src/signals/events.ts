import type { SessionEnd } from '../delegation/session.ts';

/** What streams tell, by our names and by their addresses (CAEP 1.0 §3.1, and ours). */
export const EVENTS = {
  'session-revoked': 'https://schemas.openid.net/secevent/caep/event-type/session-revoked',
  'mandate-ended': 'urn:relais:event:mandate-ended',
} as const;
export const VERIFICATION = 'https://schemas.openid.net/secevent/ssf/event-type/verification';

export type StreamEvent = keyof typeof EVENTS;

/** Our names of those among these that we tell. */
export const toldAmong = (requested: readonly string[]): StreamEvent[] =>
  (Object.keys(EVENTS) as StreamEvent[]).filter((name) => requested.includes(EVENTS[name]));

interface Reason {
  /** Who began it (CAEP 1.0 §2). */
  readonly by: 'user' | 'admin' | 'policy';
  readonly fr: string;
  readonly en: string;
}

/** Fixed words: whatever a person wrote stays here. */
export const REASONS: Readonly<Record<SessionEnd, Reason>> = {
  revoked: { by: 'user', fr: 'Le mandat est arrêté.', en: 'The mandate was stopped.' },
  renounced: { by: 'admin', fr: 'La structure a renoncé au mandat.', en: 'The organisation gave the mandate up.' },
  replaced: { by: 'user', fr: 'Le mandat est remplacé par un autre.', en: 'Another mandate replaces this one.' },
  expired: { by: 'policy', fr: 'Le mandat est arrivé à sa fin.', en: 'The mandate has expired.' },
  other_person: { by: 'user', fr: 'L’aidant a choisi une autre personne.', en: 'The aidant chose another person.' },
  signed_out: { by: 'user', fr: 'L’aidant s’est déconnecté.', en: 'The aidant signed out.' },
  superseded: { by: 'user', fr: 'Une nouvelle session remplace celle-ci.', en: 'A new session replaces this one.' },
  suspended: { by: 'admin', fr: 'Une habilitation est suspendue.', en: 'A habilitation was suspended.' },
  code_replayed: { by: 'policy', fr: 'Un code a été présenté deux fois.', en: 'A code was presented twice.' },
  time: { by: 'policy', fr: 'La durée de la session est écoulée.', en: 'The session has reached its time limit.' },
};
