import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { endOfMandate } from '../../kernel/calendar.ts';
import { isId } from '../../kernel/ids.ts';
import { TEMPLATE } from '../../mandates/mandate.ts';
import { type PaperConsent, shortHash } from '../../mandates/paper-consent.ts';
import { readTyped, type TypedIdentity } from '../../usagers/typed.ts';
import { type CivilIdentity, displayName } from '../../usagers/usager.ts';
import { sheetPdf } from '../attestation-pdf.ts';
import { type AidantHere, requireDraft } from '../guards.ts';
import type { Kit } from '../kit.tsx';
import type { Site } from '../site.ts';
import type { MandateTextData } from '../views/mandate-blocks.ts';
import { PaperPersonPage, PaperSheetPage, TYPED_FIELDS } from '../views/paper.tsx';
import { PaperPrintPage, type SheetData } from '../views/paper-sheet.tsx';

const draftPath = (id: string): string => `/aidant/mandats/brouillon/${id}`;
const paperPath = (id: string): string => `${draftPath(id)}/papier`;

type Sheet = NonNullable<Awaited<ReturnType<Site['papers']['read']>>>;

/** What is printed: the text as it was hashed when the sheet was asked. */
export const textOfSheet = ({ paper, draft, actor, usager }: Sheet, helpNumber: string): MandateTextData => ({
  template: TEMPLATE,
  organisation: { name: actor.organisationName, siret: actor.siret },
  themes: draft.themes,
  days: draft.days,
  narrowing: draft.narrowing,
  helpNumber,
  person: { name: displayName(usager), birthdate: usager.birthdate },
  dates: { from: paper.askedAt, endsAt: endOfMandate(paper.askedAt, draft.days) },
  reference: paper.reference,
});

const sheetOf = (paper: PaperConsent): SheetData => ({ aidant: paper.askedByName, hash: shortHash(paper.textHash) });

/** Consent on paper, the side of the aidant who prepares it. Nothing here can say that the person signed. */
export const papier =
  (kit: Kit) =>
  async (app: FastifyInstance): Promise<void> => {
    const { site } = kit;
    type Params = { Params: { id: string } };
    type Found = NonNullable<Awaited<ReturnType<typeof site.mandates.findDraft>>>;

    /** The aidant and the draft of this request; otherwise the answer is already given. */
    const open = (request: FastifyRequest, reply: FastifyReply) => requireDraft(kit, request, reply);

    const personPage = async (
      request: FastifyRequest,
      reply: FastifyReply,
      { here, found }: { here: AidantHere; found: Found },
      more: { errors?: readonly { field: string; code: string }[]; chosen?: string; typed?: TypedIdentity } = {},
    ): Promise<FastifyReply> => {
      const { draft } = found;
      const renewed = draft.renews && (await site.mandates.find(draft.renews));
      const people = (await site.papers.people(here.organisationId)).filter((usager) => !renewed || renewed.usagerId === usager.id);
      return kit.page(
        reply,
        <PaperPersonPage
          frame={kit.frame(request, here.session, here.who)}
          post={kit.post(here.session, paperPath(draft.id))}
          {...(renewed ? {} : { enter: kit.post(here.session, `${paperPath(draft.id)}/identite`) })}
          backHref={draftPath(draft.id)}
          people={people.map((usager) => ({ id: usager.id, name: displayName(usager), birthdate: usager.birthdate }))}
          {...more}
        />,
        { status: more.errors ? 422 : 200 },
      );
    };

    const ask = async (
      request: FastifyRequest,
      reply: FastifyReply,
      it: { here: AidantHere; found: Found },
      person: Parameters<typeof site.papers.ask>[2],
      typed?: TypedIdentity,
    ): Promise<FastifyReply> => {
      const { draft } = it.found;
      const done = await site.papers.ask(it.here, draft.id, person);
      if (!('refused' in done)) return reply.redirect(`${paperPath(draft.id)}/feuille`, 303);
      if (done.refused === 'person_listed')
        return personPage(request, reply, it, { errors: [{ field: 'person-1', code: 'person_listed' }], ...(typed ? { typed } : {}) });
      const code = done.refused === 'theme_missing' ? 'invalid_request' : done.refused;
      return kit.refuse(request, reply, code, { session: it.here.session, who: it.here.who });
    };

    app.get<Params>('/aidant/mandats/brouillon/:id/papier', async (request, reply) => {
      const it = await open(request, reply);
      if (!it) return reply;
      if (it.found.draft.consent) return reply.redirect(`${draftPath(it.found.draft.id)}/signer`, 303);
      const asked = await site.papers.find(it.here, it.found.draft.id);
      if (asked && kit.query(request, 'autre') !== '1') return reply.redirect(`${paperPath(it.found.draft.id)}/feuille`, 303);
      return personPage(request, reply, it);
    });
    app.post<Params>('/aidant/mandats/brouillon/:id/papier', async (request, reply) => {
      const it = await open(request, reply);
      if (!it) return reply;
      const person = kit.fields(request).text('person');
      if (!isId('usg', person)) return personPage(request, reply, it, { errors: [{ field: 'person-1', code: 'person_required' }] });
      return ask(request, reply, it, person);
    });
    app.post<Params>('/aidant/mandats/brouillon/:id/papier/identite', async (request, reply) => {
      const it = await open(request, reply);
      if (!it) return reply;
      const fields = kit.fields(request);
      const of = (field: keyof typeof TYPED_FIELDS): string => fields.text(field === 'gender' ? 'gender' : TYPED_FIELDS[field]).slice(0, 400);
      const typed: TypedIdentity = {
        givenName: of('givenName'),
        familyName: of('familyName'),
        usedName: of('usedName'),
        birthdate: of('birthdate'),
        birthCode: of('birthCode'),
        gender: of('gender'),
      };
      const identity: CivilIdentity | { faults: readonly { field: keyof TypedIdentity; code: string }[] } = readTyped(typed, site.clock.now());
      if ('faults' in identity)
        return personPage(request, reply, it, { typed, errors: identity.faults.map(({ field, code }) => ({ field: TYPED_FIELDS[field], code })) });
      return ask(request, reply, it, identity, typed);
    });

    app.get<Params>('/aidant/mandats/brouillon/:id/papier/feuille', async (request, reply) => {
      const it = await open(request, reply);
      if (!it) return reply;
      const path = paperPath(it.found.draft.id);
      const asked = await site.papers.find(it.here, it.found.draft.id);
      if (!asked) return reply.redirect(path, 303);
      const { paper, usager } = asked;
      const over = it.found.draft.closedAt !== undefined || paper.expiresAt <= site.clock.now();
      return kit.page(
        reply,
        <PaperSheetPage
          frame={kit.frame(request, it.here.session, it.here.who)}
          state={over ? 'ended' : paper.witness ? 'seen' : 'waiting'}
          person={displayName(usager)}
          reference={paper.reference}
          {...(paper.witness ? { witness: paper.witness.name } : {})}
          printHref={`${path}/imprimer`}
          pdfHref={`${path}/feuille.pdf`}
          selfHref={`${path}/feuille`}
          signHref={`${draftPath(it.found.draft.id)}/signer`}
          otherHref={`${path}?autre=1`}
          copy={{
            post: kit.post(it.here.session, `/aidant/papiers/${paper.id}/copie`),
            count: await site.scans.count(paper.id),
            readHref: `/aidant/papiers/${paper.id}/copie`,
          }}
        />,
      );
    });

    /** The sheet of this request's draft, with its text; otherwise the answer is already given. */
    const sheet = async (request: FastifyRequest, reply: FastifyReply): Promise<{ here: AidantHere; found: Found; it: Sheet } | undefined> => {
      const opened = await open(request, reply);
      if (!opened) return undefined;
      const asked = await site.papers.find(opened.here, opened.found.draft.id);
      const it = asked && (await site.papers.read(opened.here, asked.paper.id));
      if (it) return { ...opened, it };
      void reply.redirect(paperPath(opened.found.draft.id), 303);
      return undefined;
    };
    app.get<Params>('/aidant/mandats/brouillon/:id/papier/imprimer', async (request, reply) => {
      const opened = await sheet(request, reply);
      if (!opened) return reply;
      const path = paperPath(opened.found.draft.id);
      return kit.page(
        reply,
        <PaperPrintPage
          frame={kit.frame(request, opened.here.session, opened.here.who)}
          data={textOfSheet(opened.it, site.helpNumber)}
          sheet={sheetOf(opened.it.paper)}
          pdfHref={`${path}/feuille.pdf`}
          backHref={`${path}/feuille`}
        />,
      );
    });
    app.get<Params>('/aidant/mandats/brouillon/:id/papier/feuille.pdf', async (request, reply) => {
      const opened = await sheet(request, reply);
      if (!opened) return reply;
      const { paper } = opened.it;
      const pdf = await sheetPdf(textOfSheet(opened.it, site.helpNumber), sheetOf(paper), paper.askedAt);
      return reply.type('application/pdf').header('content-disposition', `attachment; filename="${paper.reference}.pdf"`).send(pdf);
    });
  };
