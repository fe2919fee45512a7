import type { FastifyReply, FastifyRequest } from 'fastify';
import type { AgentRole, Dossier } from '../aidants/aidant.ts';
import { type AdministrationId, type AidantId, isId, type OrganisationId } from '../kernel/ids.ts';
import type { Kit } from './kit.tsx';
import type { Session } from './session.ts';
import { PATHS } from './views/paths.ts';

/**
 * Refuses a form that did not come from a page of ours in this browser (claim S1): another site's fetch metadata or origin, an opaque origin, a
 * token that is missing or of another session. Returns the code of the refusal.
 */
export const refuseForgery = async (kit: Kit, request: FastifyRequest): Promise<'csrf' | 'session_expired' | undefined> => {
  const { 'sec-fetch-site': from, origin } = request.headers;
  if (from !== undefined && from !== 'same-origin') return 'csrf';
  if (origin !== undefined && origin !== kit.site.publicUrl) return 'csrf';
  const session = await kit.session(request);
  if (!session) return 'session_expired';
  return kit.site.webSessions.isFormToken(session, kit.fields(request).text('_csrf')) ? undefined : 'csrf';
};

export type StaffSession = Extract<Session, { kind: 'staff' }>;
export type UsagerSession = Extract<Session, { kind: 'usager' }>;

export interface AidantHere {
  readonly session: StaffSession;
  readonly aidantId: AidantId;
  readonly organisationId: OrganisationId;
  readonly dossier: Dossier;
  readonly organisationName: string;
  readonly who: { readonly name: string; readonly organisation: string; readonly canSwitch: boolean };
}

/** Where a sign-in may lead back to: our own pages, by their shape. Anything else leads home (claim P15). */
export const safeReturn = (to: string | undefined): string =>
  to !== undefined &&
  /^\/(aidant|administration)(\/[A-Za-z0-9_/-]*)?$|^\/interaction\/[A-Za-z0-9_-]{10,100}$|^\/inscription\/[A-Za-z0-9_-]{43}$/.test(to)
    ? to
    : '/';

const signIn = (reply: FastifyReply, to: string): undefined => {
  void reply.redirect(`/connexion/proconnect?vers=${encodeURIComponent(safeReturn(to))}`, 303);
  return undefined;
};

/**
 * The aidant of this request, signed in with both factors and still habilitated in the organisation that is selected. Otherwise the answer is
 * already given, and the handler stops.
 */
export const requireAidant = async (kit: Kit, request: FastifyRequest, reply: FastifyReply): Promise<AidantHere | undefined> => {
  const session = await kit.session(request);
  if (session?.kind !== 'staff') return signIn(reply, request.url.split('?')[0] ?? '/aidant');
  const standing = await kit.site.aidants.standing(session.staffId);
  if ('refused' in standing) {
    kit.refuse(request, reply, standing.refused);
    return undefined;
  }
  if (standing.staff.kind !== 'aidant') {
    kit.refuse(request, reply, 'not_found');
    return undefined;
  }
  const membership = standing.memberships.find((each) => each.organisation.id === session.organisationId);
  if (!membership) {
    void reply.redirect('/aidant/structures', 303);
    return undefined;
  }
  return {
    session,
    aidantId: standing.staff.id as AidantId,
    organisationId: membership.organisation.id,
    dossier: standing,
    organisationName: membership.organisation.name,
    who: {
      name: `${standing.staff.givenName} ${standing.staff.familyName}`,
      organisation: membership.organisation.name,
      canSwitch: standing.memberships.length > 1,
    },
  };
};

/** Says whether somebody leads the aidants of the structure that is selected. */
export const isReferent = ({ dossier, organisationId }: AidantHere): boolean =>
  dossier.memberships.some(({ organisation, referent }) => referent && organisation.id === organisationId);

/** The référent of this request: to anybody else, nothing is there. */
export const requireReferent = async (kit: Kit, request: FastifyRequest, reply: FastifyReply): Promise<AidantHere | undefined> => {
  const here = await requireAidant(kit, request, reply);
  if (!here || isReferent(here)) return here;
  kit.refuse(request, reply, 'not_found', { session: here.session, who: here.who });
  return undefined;
};

export interface StaffHere {
  readonly session: StaffSession;
  readonly dossier: Dossier;
  readonly who: { readonly name: string; readonly organisation?: string };
}

/** The member of staff of this request, whatever their kind and whatever organisation is selected. Otherwise the answer is already given. */
export const requireStaff = async (kit: Kit, request: FastifyRequest, reply: FastifyReply): Promise<StaffHere | undefined> => {
  const session = await kit.session(request);
  if (session?.kind !== 'staff') return signIn(reply, request.method === 'GET' ? (request.url.split('?')[0] ?? '/aidant') : '/aidant');
  const standing = await kit.site.aidants.standing(session.staffId);
  if ('refused' in standing) {
    kit.refuse(request, reply, standing.refused);
    return undefined;
  }
  const selected = standing.memberships.find((each) => each.organisation.id === session.organisationId)?.organisation.name;
  const organisation = selected ?? standing.administration?.name;
  return {
    session,
    dossier: standing,
    who: { name: `${standing.staff.givenName} ${standing.staff.familyName}`, ...(organisation ? { organisation } : {}) },
  };
};

export interface AgentHere {
  readonly session: StaffSession;
  readonly administration: { readonly id: AdministrationId; readonly name: string };
  readonly who: { readonly name: string; readonly organisation: string };
}

/** Where each kind of agent begins. */
const AGENT_HOME = { reader: '/administration', integrator: PATHS.services } as const;

const requireAgentWho = async (kit: Kit, request: FastifyRequest, reply: FastifyReply, role: AgentRole): Promise<AgentHere | undefined> => {
  const session = await kit.session(request);
  if (session?.kind !== 'staff') {
    if (request.method === 'GET') void reply.redirect(`/connexion/proconnect?vers=${AGENT_HOME[role]}`, 303);
    else kit.refuse(request, reply, 'session_expired');
    return undefined;
  }
  const standing = await kit.site.aidants.standing(session.staffId);
  if ('refused' in standing || !standing.administration) {
    kit.refuse(request, reply, 'refused' in standing ? standing.refused : 'not_found');
    return undefined;
  }
  const who = { name: `${standing.staff.givenName} ${standing.staff.familyName}`, organisation: standing.administration.name };
  if (standing.administration.role !== role) {
    if (request.method === 'GET' && request.url === AGENT_HOME[role]) void reply.redirect(AGENT_HOME[standing.administration.role], 303);
    else kit.refuse(request, reply, 'not_found', { session, who });
    return undefined;
  }
  return { session, administration: standing.administration, who };
};

/** The agent of this request who reads the journal, signed in with both factors and still an administration's. Otherwise the answer is already given. */
export const requireAgent = (kit: Kit, request: FastifyRequest, reply: FastifyReply): Promise<AgentHere | undefined> =>
  requireAgentWho(kit, request, reply, 'reader');

/** The agent who looks after the services of their administration. Otherwise the answer is already given. */
export const requireIntegrator = (kit: Kit, request: FastifyRequest, reply: FastifyReply): Promise<AgentHere | undefined> =>
  requireAgentWho(kit, request, reply, 'integrator');

export const requireUsager = async (kit: Kit, request: FastifyRequest, reply: FastifyReply): Promise<UsagerSession | undefined> => {
  const session = await kit.session(request);
  if (session?.kind === 'usager') return session;
  if (request.method === 'GET') void reply.redirect('/connexion/franceconnect', 303);
  else kit.refuse(request, reply, 'session_expired');
  return undefined;
};

/**
 * The aidant of this request and what `find` gives them for the `id` of its address; what is not theirs is answered as what does not exist.
 * Otherwise the answer is already given.
 */
export const requireFound = async <T>(
  kit: Kit,
  request: FastifyRequest,
  reply: FastifyReply,
  find: (here: AidantHere, id: string) => Promise<T | undefined>,
): Promise<{ readonly here: AidantHere; readonly found: T } | undefined> => {
  const here = await requireAidant(kit, request, reply);
  if (!here) return undefined;
  const { id } = request.params as { readonly id: string }; // every route that asks has it
  const found = await find(here, id);
  if (found !== undefined) return { here, found };
  kit.refuse(request, reply, 'not_found', { session: here.session, who: here.who });
  return undefined;
};

/** The same for a draft of the organisation that is selected. */
export const requireDraft = (kit: Kit, request: FastifyRequest, reply: FastifyReply) =>
  requireFound(kit, request, reply, async (here, id) => (isId('dra', id) ? kit.site.mandates.findDraft(here, id) : undefined));
