import type { FastifyReply } from 'fastify';
import QR from 'qrcode';
import { endOfMandate } from '../../kernel/calendar.ts';
import { groupsOf, type Sealed } from '../../mandates/attestation.ts';
import { type Draft, type Mandate, TEMPLATE } from '../../mandates/mandate.ts';
import type { Actor } from '../../mandates/policy.ts';
import { displayName, firstName, type Usager } from '../../usagers/usager.ts';
import { attestationPdf } from '../attestation-pdf.ts';
import type { Site } from '../site.ts';
import type { AttestationData, MandateTextData } from '../views/mandate-blocks.ts';
import { PATHS } from '../views/paths.ts';

/** The text of a mandate as its rows stand now, for one that nothing seals or that no longer fits its seal. */
const textOfRows = (mandate: Mandate, siret: string | undefined, usager: Usager | undefined, helpNumber: string): MandateTextData => ({
  template: TEMPLATE,
  organisation: { name: mandate.organisationName, ...(siret ? { siret } : {}) },
  themes: mandate.themes.map((each) => each.theme),
  days: mandate.days,
  narrowing: mandate.narrowing,
  helpNumber,
  ...(usager ? { person: { name: displayName(usager), birthdate: usager.birthdate } } : {}),
  dates: { from: mandate.startsAt, endsAt: mandate.endsAt },
  reference: mandate.reference,
  consent: { method: mandate.consent.method, at: mandate.consent.at },
  acceptance: { name: mandate.acceptedByName, at: mandate.startsAt },
});

/** The text of a draft, its first day being today. Without `usager`, as it is read before anybody has agreed. */
export const textOfDraft = (site: Site, draft: Draft, actor: Actor, usager?: Usager): MandateTextData => ({
  template: TEMPLATE,
  organisation: { name: actor.organisationName, siret: actor.siret },
  themes: draft.themes,
  days: draft.days,
  narrowing: draft.narrowing,
  helpNumber: site.helpNumber,
  dates: { from: site.clock.now(), endsAt: endOfMandate(site.clock.now(), draft.days) },
  ...(usager ? { person: { name: displayName(usager), birthdate: usager.birthdate } } : {}),
  ...(draft.consent ? { consent: { method: draft.consent.method, at: draft.consent.at } } : {}),
});

/** The text as it was sealed, names included. */
const textOfSealed = (sealed: Sealed, helpNumber: string): MandateTextData => ({
  template: sealed.template,
  organisation: { name: sealed.organisation.name, siret: sealed.organisation.siret },
  themes: sealed.themes,
  days: sealed.days,
  narrowing: sealed.narrowing,
  helpNumber,
  person: { name: displayName(sealed.usager), birthdate: sealed.usager.birthdate },
  dates: { from: sealed.startsAt, endsAt: sealed.endsAt },
  reference: sealed.reference,
  consent: { method: sealed.consent.method, at: sealed.consent.at },
  acceptance: { name: firstName(sealed.acceptance.givenName), at: sealed.acceptance.at },
});

export interface Attested {
  readonly data: MandateTextData;
  /** `altered` when the rows no longer fit the seal; undefined for a mandate older than attestations. */
  readonly attestation: AttestationData | 'altered' | undefined;
}

/** What the paper of a mandate says today. The caller has checked that whoever asks may read it. */
export const attestedText = async (site: Site, mandate: Mandate, siret: string | undefined, usager: Usager | undefined): Promise<Attested> => {
  const found = await site.attestations.find(mandate.id);
  if (!found?.intact) {
    if (found) site.notice({ code: 'attestation_altered' });
    return { data: textOfRows(mandate, siret, usager, site.helpNumber), attestation: found && 'altered' };
  }
  const check = `${site.publicUrl}${PATHS.verifyAttestation}`;
  return {
    data: textOfSealed(found.sealed, site.helpNumber),
    attestation: {
      code: groupsOf(found.code),
      verifyUrl: `${check}/${found.code}`,
      checkUrl: check,
      stopUrl: `${site.publicUrl}${PATHS.stop}`,
      themes: found.themes,
      today: site.clock.now(),
      ...(found.endedAt ? { endedAt: found.endedAt } : {}),
    },
  };
};

/** What the page of a mandate shows: its text, and its attestation with the QR code drawn. */
export const attestedPage = async (site: Site, mandate: Mandate, siret: string | undefined, usager: Usager | undefined, path: string) => {
  const { data, attestation } = await attestedText(site, mandate, siret, usager);
  if (attestation === undefined || attestation === 'altered') return { data, ...(attestation ? { attestation } : {}) };
  const qrSvg = await QR.toString(attestation.verifyUrl, { type: 'svg', margin: 4, errorCorrectionLevel: 'M' });
  return { data, attestation: { ...attestation, qrSvg, pdfHref: `${path}/attestation.pdf` } };
};

/** Sends the PDF. The file is named by the mandate's reference alone. Undefined when there is nothing to attest. */
export const sendPdf = async (site: Site, reply: FastifyReply, mandate: Mandate): Promise<FastifyReply | undefined> => {
  const { data, attestation } = await attestedText(site, mandate, undefined, undefined);
  if (attestation === undefined || attestation === 'altered') return undefined;
  const pdf = await attestationPdf(data, attestation);
  return reply
    .type('application/pdf')
    .header('content-disposition', `attachment; filename="${mandate.reference.replace(/[^A-Z0-9-]/g, '')}.pdf"`)
    .send(pdf);
};
