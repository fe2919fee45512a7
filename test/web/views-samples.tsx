import type { JSX } from 'hono/jsx/jsx-runtime';
import { endOfMandate } from '../../src/kernel/calendar.ts';
import { WHOLE } from '../../src/mandates/narrowing.ts';
import type { Evidence } from '../../src/web/evidence.ts';
import { fr } from '../../src/web/i18n/fr.ts';
import type { Lang } from '../../src/web/i18n/language.ts';
import { readTranslations } from '../../src/web/translations.ts';
import { AuditPage, type AuditRow, BarPage } from '../../src/web/views/administration.tsx';
import { AidantHomePage, OrganisationPage } from '../../src/web/views/aidant.tsx';
import { EnrolmentDonePage, EnrolmentKeyPage, EnrolmentStartPage, SecondFactorPage } from '../../src/web/views/code.tsx';
import { ErrorPage } from '../../src/web/views/error.tsx';
import { HowVerifiedPage } from '../../src/web/views/evidence.tsx';
import { HomePage } from '../../src/web/views/home.tsx';
import { ConfirmPage, PickPersonPage, PickThemePage } from '../../src/web/views/interaction.tsx';
import type { Frame } from '../../src/web/views/layout.tsx';
import { CallbackPage, InfoPage, LogoutPage, SignedOutPage, StayedPage } from '../../src/web/views/leaving.tsx';
import { LostConfirmPage, LostDonePage, LostPage, LostSentPage } from '../../src/web/views/lost.tsx';
import { MandateDaysPage, MandateReadPage, MandateThemesPage } from '../../src/web/views/mandate.tsx';
import type { AttestationData, MandateTextData } from '../../src/web/views/mandate-blocks.ts';
import { MandateCreatedPage, MandateSignPage } from '../../src/web/views/mandate-sign.tsx';
import { MandatePage } from '../../src/web/views/mandate-text.tsx';
import { MandatesPage, RenouncedPage, RenouncePage } from '../../src/web/views/mandates.tsx';
import { OthersPage } from '../../src/web/views/others.tsx';
import { PhoneAnsweredPage, PhoneAskPage, PhoneWaitPage } from '../../src/web/views/phone-consent.tsx';
import { ReadAloudPage } from '../../src/web/views/read-aloud.tsx';
import { ReceiptPage } from '../../src/web/views/receipt.tsx';
import { RemoteAskPage, RemoteWaitPage, UsagerPhonePage } from '../../src/web/views/remote-consent.tsx';
import { NewPasskeyPage, RecoveryCodesPage, RecoverySignInPage, SecurityPage, StepUpPage } from '../../src/web/views/security.tsx';
import { StopByPaperPage, StoppedByPaperPage } from '../../src/web/views/stop.tsx';
import { UsagerHomePage } from '../../src/web/views/usager.tsx';
import { EntryPage, MandateStoppedPage, StopMandatePage } from '../../src/web/views/usager-detail.tsx';
import { VerdictPage, VerifyPage } from '../../src/web/views/verifier.tsx';
import { sampleEntries, type Text } from './views-entries.ts';
import { contestSamples } from './views-samples-contests.tsx';
import { integrationSamples } from './views-samples-integration.tsx';
import { paperSamples } from './views-samples-paper.tsx';
import { statementSamples } from './views-samples-statement.tsx';
import { structureSamples } from './views-samples-structure.tsx';

const NOW = new Date('2026-03-03T13:24:00Z');
const at = (iso: string): Date => new Date(iso);
const LONG = 'Marie-Antoinette-Philippine-Wilhelmine de La Rochefoucauld-Montmorency-Saint-Amand-les-Eaux';
const THEMES = ['papiers', 'famille', 'social', 'travail', 'logement', 'transports', 'argent', 'justice', 'etranger', 'loisirs'];
const QR =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9" shape-rendering="crispEdges"><path fill="#ffffff" d="M0 0h9v9H0z"/><path stroke="#000000" d="M1 1.5h3M5 1.5h3M1 2.5h1M3 2.5h1M6 2.5h1M1 3.5h3M5 3.5h2M2 5.5h5M1 6.5h2M5 6.5h3M3 7.5h4"/></svg>';
const LOGOUT_FORM =
  '<form id="op.logoutForm" method="post" action="/oidc/session/end/confirm"><input type="hidden" name="xsrf" value="0011"/></form>';

const evidenceSample = (lang: Lang, text: Text): Evidence => ({
  log: { origin: text('journal.relais.example/4f0c2a91'), keys: [] },
  nodes: [],
  party: { role: 'usager', last: 1, withheld: [] },
  entries: [
    {
      index: 4711,
      bytes: text('{"v":1}'),
      number: 1,
      boxes: [],
      sealed: { subject: [{ name: 'detail.reason', value: text('x'), salt: 'A' }], actor: [] },
    },
  ],
  page: { lang, kinds: [], words: {} },
});

/** Every page with sample data, by name. Each free text goes through `text`. */
export const samples = (lang: Lang, text: Text = (value) => value): Record<string, JSX.Element> => {
  const post = (action: string) => ({ action, csrf: text('csrf-token-0001') });
  const open: Frame = { lang, helpNumber: text('0 800 00 00 00') };
  const stay = (seconds: number, last = false) => ({ endsAt: at('2026-03-03T13:39:00Z'), seconds, last, post: post('/rester-connecte') });
  const aidant: Frame = {
    ...open,
    who: { name: text('Karim Benali'), organisation: text('Mairie de Thénac'), canSwitch: true, signOut: post('/deconnexion'), stay: stay(900) },
  };
  const usager: Frame = { ...open, who: { name: text('Madame Colette Martin'), signOut: post('/deconnexion') } };
  const agent: Frame = {
    ...open,
    who: { name: text('Nora Lefèvre'), organisation: text('Allocations de démonstration'), signOut: post('/deconnexion') },
  };
  const colette = text('Madame Colette Martin');
  const person = { name: colette, birthdate: '1946-04-12', birthplace: text('Saintes (17)') };
  const demarches = [
    {
      code: 'allocations.aide-logement',
      label: text('Aide au logement'),
      service: text('Allocations de démonstration'),
      effect: 'declare',
      theme: 'logement',
    },
    {
      code: 'allocations.suivi',
      label: text('Suivre mes demandes'),
      service: text('Allocations de démonstration'),
      effect: 'read',
      theme: 'famille',
    },
    { code: 'impots.adresse', label: text(LONG), service: text('Impôts de démonstration'), effect: 'change', theme: 'argent' },
  ];
  const narrowing = {
    demarches: [
      { code: 'allocations.suivi', service: text('Allocations de démonstration'), fr: text('Suivre mes demandes'), en: text('Follow my claims') },
    ],
    readOnly: true,
    singleUse: true,
  };
  const mandateText: MandateTextData = {
    template: '2026-11',
    organisation: { name: text('Mairie de Thénac'), siret: '21750001600019' },
    themes: ['logement', 'famille'],
    days: 31,
    narrowing: WHOLE,
    helpNumber: text('0 800 00 00 00'),
  };
  const signed: MandateTextData = {
    ...mandateText,
    person,
    reference: text('M-7K4Q-2F9D'),
    dates: { from: NOW, endsAt: endOfMandate(NOW, 31) },
    consent: { method: 'franceconnect', at: at('2026-03-03T13:20:00Z') },
    acceptance: { name: text('Karim Benali'), at: at('2026-03-03T13:24:00Z') },
  };
  const attestation: AttestationData = {
    code: '7K3F-92QD-H4MA-WX5T-B8NC-6PZE',
    verifyUrl: 'https://relais.example/verifier/7K3F92QDH4MAWX5TB8NC6PZE',
    checkUrl: 'https://relais.example/verifier',
    stopUrl: 'https://relais.example/usager',
    today: NOW,
    themes: ['logement', 'famille'],
  };
  const valid = {
    kind: 'valid',
    reference: text('M-7K4Q-2F9D'),
    organisation: { name: text('Mairie de Thénac'), siret: '21750001600019' },
    themes: ['famille', 'logement'],
    narrowing: {
      demarches: [{ code: 'x', service: text('Allocations'), fr: text('Voir mes paiements'), en: text('See my payments') }],
      readOnly: true,
      singleUse: false,
    },
    startsAt: NOW,
    endsAt: endOfMandate(NOW, 31),
    method: 'franceconnect',
    organisationActive: true,
  } as const;
  const remoteAsk = {
    frame: aidant,
    post: post('/aidant/mandats/1/sms'),
    note: post('/aidant/mandats/1/sms/numero'),
    proveHref: '/x',
    backHref: '/aidant/mandats/1',
    people: [
      { id: 'usg_1', name: colette, birthdate: '1946-04-12', phone: text('06 •• •• •• 01'), weak: [] },
      { id: 'usg_2', name: text(LONG), birthdate: '1933-07-14', phone: text('06 •• •• •• 02'), weak: ['entered_by_aidant', 'shared'] },
      { id: 'usg_3', name: text('Monsieur Jean Petit'), birthdate: '1951-09-30', phone: undefined, weak: [] },
    ],
  };
  const people = [
    {
      id: 'usg_1',
      name: colette,
      themes: ['logement', 'famille'],
      narrowing: WHOLE,
      endsAt: endOfMandate(NOW, 31),
      method: 'franceconnect',
      services: [{ name: text('Allocations de démonstration'), href: '/x?login_hint=1' }],
    },
    {
      id: 'usg_2',
      name: text('Monsieur Jean Petit'),
      themes: ['argent', 'logement'],
      narrowing: WHOLE,
      endsAt: endOfMandate(NOW, 1),
      method: 'sms',
      services: [
        { name: text('Allocations de démonstration'), href: '/x' },
        { name: text('Impôts de démonstration'), href: '/y' },
      ],
    },
    { id: 'usg_3', name: text(`Madame ${LONG}`), themes: THEMES, endsAt: endOfMandate(NOW, 365), method: 'paper', narrowing: WHOLE, services: [] },
  ];
  const session = {
    id: 'dls_1',
    person: colette,
    service: text('Allocations de démonstration'),
    theme: 'logement',
    expiresAt: at('2026-03-03T13:48:00Z'),
    stop: post('/aidant/sessions/dls_1/arreter'),
  };
  const aidantHome = {
    frame: aidant,
    now: NOW,
    people,
    total: 12,
    filter: { post: post('/aidant'), query: '', clearHref: '/aidant' },
    open: [session],
    createHref: '/aidant/mandats/nouveau',
    mandatesHref: '/aidant/mandats',
    witness: { href: '/aidant/temoin', waiting: 2 },
  };
  const step = { frame: aidant, post: post('/aidant/mandats/nouveau'), backHref: '/aidant' };
  const entries = sampleEntries(text);
  const sent = entries.find((entry) => entry.type === 'action.reported');
  if (sent === undefined) throw new Error('no act among the sample entries');
  const lines = entries.map((entry, position) => ({
    entry,
    detailHref: `/mon-espace/lignes/${entry.index}`,
    withoutReport: position === 11,
    ...(entry.type === 'action.reported' && { disagreeHref: '/mon-espace/desaccord', disagreed: position === 3 }),
  }));
  const card = {
    organisation: text('Mairie de Thénac'),
    aidants: [text('Karim'), text('Inès')],
    otherAidants: 2,
    themes: ['logement', 'famille'],
    endsAt: endOfMandate(NOW, 31),
    consent: { method: 'franceconnect', at: at('2026-03-01T08:28:00Z') },
    stopHref: '/mon-espace/mandats/1/arreter',
    textHref: '/mon-espace/mandats/1',
    narrowing: WHOLE,
  };
  const languages = readTranslations(new URL('../../translations/', import.meta.url).pathname);
  const phoneCode = {
    qrSvg: QR,
    address: 'relais.exemple.fr/accord/',
    groups: Array(13).fill('k7qm'),
    minutes: 27,
    until: at('2026-03-03T14:00:00Z'),
  };
  const interaction = { frame: aidant, post: post('/interaction/1/personne'), abort: post('/interaction/1/abandon') };
  const confirm = {
    narrowing: WHOLE,
    ...interaction,
    now: NOW,
    person: colette,
    service: text('Allocations de démonstration'),
    theme: 'logement',
    mandate: { startsAt: at('2026-03-01T08:30:00Z'), endsAt: endOfMandate(NOW, 31), method: 'franceconnect' },
    privileges: ['read', 'declare'],
    anotherHref: '/interaction/1',
  };
  const sign = {
    frame: aidant,
    now: NOW,
    post: post('/aidant/mandats/1/signer'),
    notThisPerson: post('/aidant/mandats/1/personne'),
    person,
    consent: { method: 'franceconnect', at: at('2026-03-03T13:20:00Z') },
    themes: ['logement', 'famille'],
    days: 31,
    endsAt: endOfMandate(NOW, 31),
    organisation: text('Mairie de Thénac'),
    aidant: text('Karim Benali'),
    textHref: '/aidant/mandats/1/texte',
    narrowing: WHOLE,
  };
  const row: AuditRow = {
    index: 4714,
    proofHref: '/administration/entrees/4714/preuve',
    at: at('2026-03-03T13:32:00Z'),
    type: 'action.reported',
    aidant: text('LEQuW7qFeeJNFlM2hKN'),
    organisation: text('Mairie de Thénac'),
    theme: 'logement',
    demarche: text('allocations.aide-logement'),
    verb: 'send',
    outcome: 'success',
    mandateReference: text('M-7K4Q-2F9D'),
    mandateHref: '/x',
    session: 'dls_01k9zq3x7m4n5p6r8s9t0vwxyz',
  };
  const audit = {
    frame: agent,
    post: post('/administration/journal'),
    administration: text('Allocations de démonstration'),
    values: { reason: text('vérification du dossier 2026-118'), from: '01/03/2026', theme: 'logement' },
    services: [['allocations', text('Allocations de démonstration')]] as const,
    themes: ['famille', 'logement', 'social'],
    demarches: [['allocations.aide-logement', text('Demande d’aide au logement')]] as const,
  };
  const bar = {
    frame: agent,
    post: post('/x'),
    administration: text('Allocations de démonstration'),
    reference: text('M-7K4Q-2F9D'),
    organisation: text('Mairie de Thénac'),
  };
  const remarked = { index: 4715, at: row.at, type: 'action.contested', theme: 'logement', about: 4714 };
  const opened = { index: 4712, at: row.at, type: 'session.opened', theme: 'logement' } as const;
  const codeError = [{ field: 'code', code: 'wrong_code' }];
  const asked = JSON.stringify({ challenge: text('AAAA'), allowCredentials: [] });
  const means: Frame = { ...open, who: { name: text('Karim Benali'), meansHref: '/aidant/securite', signOut: post('/deconnexion') } };
  const security = {
    frame: means,
    keys: [
      { id: 'pky_1', name: text('Ordinateur du bureau'), createdAt: at('2026-02-01T09:00:00Z'), lastUsedAt: at('2026-03-02T08:00:00Z') },
      { id: 'pky_2', name: text('Téléphone'), createdAt: at('2026-03-01T09:00:00Z'), lastUsedAt: undefined },
    ],
    left: 9,
    proveHref: '/x',
    backHref: '/aidant',
  };
  const change = { add: post('/x'), recovery: post('/x'), revoke: () => post('/x') };
  const factor = { frame: open, post: post('/connexion/code') };
  return {
    home: <HomePage frame={open} doors={{ usager: '/entrer/usager', aidant: '/entrer/aidant', administration: '/entrer/administration' }} />,
    factor: <SecondFactorPage {...factor} />,
    'factor-error': <SecondFactorPage {...factor} errors={codeError} />,
    'factor-passkey': <SecondFactorPage {...factor} passkey={asked} recoveryHref="/connexion/secours" />,
    'factor-passkey-error': <SecondFactorPage {...factor} passkey={asked} errors={[{ field: 'code', code: 'passkey_refused' }]} />,
    'factor-recovery': <RecoverySignInPage {...factor} />,
    'factor-recovery-error': <RecoverySignInPage {...factor} errors={[{ field: 'recovery-code', code: 'wrong_recovery_code' }]} />,
    'session-warned': <SecurityPage {...security} frame={{ ...open, ...(aidant.who ? { who: { ...aidant.who, stay: stay(100) } } : {}) }} />,
    'session-last': <SecurityPage {...security} frame={{ ...open, ...(aidant.who ? { who: { ...aidant.who, stay: stay(100, true) } } : {}) }} />,
    'session-stayed': <StayedPage frame={open} end={text('14 h 54')} />,
    'lost-report': <LostPage frame={open} post={post('/connexion/perdu')} />,
    'lost-error': <LostPage frame={open} post={post('/connexion/perdu')} errors={[{ field: 'email', code: 'email_malformed' }]} />,
    'lost-sent': <LostSentPage frame={open} />,
    'lost-confirm': <LostConfirmPage frame={open} post={post('/connexion/perdu/x')} />,
    'lost-done': <LostDonePage frame={open} />,
    'security-none': <SecurityPage {...security} keys={[]} left={0} />,
    'security-fresh': <SecurityPage {...security} change={change} done="ajoutee" />,
    'security-error': <SecurityPage {...security} change={change} errors={[{ field: 'name', code: 'name_malformed' }]} />,
    'security-last-error': <SecurityPage {...security} change={change} errors={[{ field: 'content', code: 'last_means' }]} />,
    'security-create': <NewPasskeyPage frame={means} post={post('/x')} options={asked} name={text('Ordinateur du bureau')} backHref="/x" />,
    'security-recovery': <RecoveryCodesPage frame={means} codes={Array(10).fill(text('ABCD-EFGH-2345-6723'))} backHref="/x" />,
    'security-confirm': <StepUpPage frame={means} post={post('/x')} passkey={asked} />,
    'security-confirm-code': <StepUpPage frame={means} post={post('/x')} />,
    'security-confirm-site': <StepUpPage frame={means} post={post('/x')} passkey={asked} signInHref="/x" />,
    'enrolment-start': <EnrolmentStartPage frame={open} post={post('/inscription/x')} />,
    'enrolment-key': <EnrolmentKeyPage frame={open} post={post('/inscription/x/code')} qrSvg={QR} secretKey="JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP" />,
    'enrolment-done': <EnrolmentDonePage frame={open} signInHref="/connexion/proconnect" />,
    'aidant-home': <AidantHomePage {...aidantHome} next="/aidant?page=2" />,
    'aidant-empty': <AidantHomePage {...aidantHome} people={[]} total={0} open={[]} />,
    'aidant-filter-empty': (
      <AidantHomePage
        {...aidantHome}
        people={[]}
        total={0}
        open={[]}
        filter={{ post: post('/aidant'), query: text('Dupont'), clearHref: '/aidant' }}
      />
    ),
    organisations: (
      <OrganisationPage
        frame={aidant}
        post={post('/aidant/structures')}
        organisations={[
          { id: 'org_1', name: text('Mairie de Thénac'), current: true },
          { id: 'org_2', name: text('CCAS de Saintes'), current: false },
        ]}
      />
    ),
    'mandate-1-themes': (
      <MandateThemesPage {...step} demarches={demarches} chosenDemarches={[]} themes={THEMES} chosen={['logement']} outside={['justice']} />
    ),
    'mandate-1-many': (
      <MandateThemesPage
        {...step}
        demarches={[...'abc'].flatMap((letter) => demarches.map((each) => ({ ...each, code: `${each.code}-${letter}` })))}
        chosenDemarches={['allocations.suivi-b']}
        themes={THEMES}
        chosen={[]}
        errors={[{ field: 'theme-papiers', code: 'demarches_or_themes' }]}
      />
    ),
    'mandate-1-error': (
      <MandateThemesPage
        {...step}
        demarches={[]}
        chosenDemarches={[]}
        themes={['famille', 'logement']}
        chosen={[]}
        errors={[{ field: 'theme-famille', code: 'themes_required' }]}
      />
    ),
    'mandate-2-days': (
      <MandateDaysPage {...step} now={NOW} durations={[1, 31, 182, 365].map((days) => ({ days, endsAt: endOfMandate(NOW, days) }))} />
    ),
    'mandate-2-error': (
      <MandateDaysPage
        {...step}
        now={NOW}
        durations={[1, 31].map((days) => ({ days, endsAt: endOfMandate(NOW, days) }))}
        readOnly
        errors={[{ field: 'read-only', code: 'demarche_not_read_only' }]}
      />
    ),
    'mandate-3-read': (
      <MandateReadPage
        {...step}
        text={mandateText}
        aloudHref="/aidant/mandats/1/lecture"
        phone={post('/aidant/mandats/1/telephone')}
        refuse={post('/aidant/mandats/1/abandon')}
        smsHref="/aidant/mandats/1/sms"
        paperHref="/aidant/mandats/1/papier"
      />
    ),
    ...Object.fromEntries(
      (['waiting', 'started', 'refused', 'yes', 'no', 'over'] as const).map((standing) => [
        `phone-wait-${standing}`,
        <PhoneWaitPage
          frame={aidant}
          standing={standing}
          {...(standing === 'refused' ? { refusal: 'self_dealing' } : {})}
          {...(standing === 'waiting' || standing === 'started' || standing === 'refused' ? { code: phoneCode } : {})}
          following={false}
          again={post('/aidant/mandats/1/telephone')}
          draftOver={standing === 'over'}
          selfHref="/aidant/mandats/1/telephone"
          signHref="/aidant/mandats/1/signer"
          otherWayHref="/aidant/mandats/1"
          restartHref="/aidant/mandats/nouveau"
        />,
      ]),
    ),
    'read-aloud': (
      <ReadAloudPage frame={aidant} data={mandateText} languages={languages} selfHref="/aidant/mandats/1/lecture" backHref="/aidant/mandats/1" />
    ),
    'read-aloud-self': (
      <ReadAloudPage frame={usager} self data={mandateText} languages={languages} selfHref="/usager/mandats/1/lecture" backHref="/usager/mandats/1" />
    ),
    ...Object.fromEntries(
      languages.map((translation) => [
        `read-aloud-${translation.lang}`,
        <ReadAloudPage
          frame={aidant}
          data={{ ...mandateText, narrowing }}
          languages={languages}
          translation={translation}
          selfHref="/aidant/mandats/1/lecture"
          backHref="/aidant/mandats/1"
        />,
      ]),
    ),
    'phone-ask': (
      <PhoneAskPage
        frame={open}
        connect={post('/accord/x')}
        decline={post('/accord/x/refus')}
        organisation={text('Mairie de Thénac')}
        aidant={text('Karim')}
        until={at('2026-03-03T14:00:00Z')}
        text={mandateText}
      />
    ),
    'phone-done': <PhoneAnsweredPage frame={open} outcome="yes" organisation={text('Mairie de Thénac')} at={NOW} selfHref="/accord/suite" />,
    'phone-done-signed': (
      <PhoneAnsweredPage frame={open} outcome="yes" organisation={text('Mairie de Thénac')} at={NOW} reference={text('M-7K4Q-2F9D')} />
    ),
    'phone-declined': <PhoneAnsweredPage frame={open} outcome="no" />,
    'phone-refused': <PhoneAnsweredPage frame={open} outcome="identity_incomplete" againHref="/accord/x" />,
    'phone-over': <PhoneAnsweredPage frame={open} outcome="phone_link_over" />,
    'remote-ask': <RemoteAskPage {...remoteAsk} noted />,
    'remote-ask-error': (
      <RemoteAskPage
        {...remoteAsk}
        errors={[
          { field: 'recap-asked', code: 'recap_asked_required' },
          { field: 'phone', code: 'phone_premium' },
        ]}
      />
    ),
    'remote-ask-stale': <RemoteAskPage {...remoteAsk} note={undefined} />,
    'remote-ask-nobody': <RemoteAskPage {...remoteAsk} people={[]} />,
    ...Object.fromEntries(
      (['sending', 'gateway_silent', 'unclear', 'yes', 'no', 'expired'] as const).map((state) => [
        `remote-wait-${state}`,
        <RemoteWaitPage
          frame={aidant}
          state={state}
          person={colette}
          phone={text('06 •• •• •• 01')}
          askedAt={NOW}
          selfHref="/aidant/mandats/1/attente"
          signHref="/aidant/mandats/1/signer"
          otherWayHref="/aidant/mandats/1"
          againHref="/aidant/mandats/1/sms"
        />,
      ]),
    ),
    ...paperSamples(lang, text, { frame: aidant, post, text: { ...mandateText, person, reference: text('P-7K4Q-2F9D') }, people: remoteAsk.people }),
    'usager-phone': (
      <UsagerPhonePage
        frame={usager}
        post={post('/usager/telephone')}
        confirm={post('/usager/telephone/code')}
        phones={[
          { shown: text('06 •• •• •• 01'), byAidant: false },
          { shown: text('06 •• •• •• 77'), byAidant: true },
        ]}
        pending={text('06 •• •• •• 02')}
        errors={[{ field: 'code', code: 'sms_code_wrong' }]}
      />
    ),
    'usager-phone-none': <UsagerPhonePage frame={usager} post={post('/usager/telephone')} confirm={post('/usager/telephone/code')} phones={[]} />,
    'mandate-4-sign': <MandateSignPage {...sign} replaces={['logement']} />,
    'mandate-4-narrow': <MandateSignPage {...sign} narrowing={narrowing} />,
    'mandate-text-narrow': <MandatePage frame={aidant} data={{ ...signed, narrowing }} backHref="/aidant" />,
    'mandate-4-passkey': <MandateSignPage {...sign} passkey={asked} />,
    'mandate-4-error': (
      <MandateSignPage
        {...sign}
        errors={[
          { field: 'said-aloud', code: 'said_aloud_required' },
          { field: 'code', code: 'code_already_used' },
        ]}
      />
    ),
    'mandate-created': (
      <MandateCreatedPage
        frame={aidant}
        person={colette}
        reference={text('M-7K4Q-2F9D')}
        services={[
          { name: text('Allocations de démonstration'), href: '/aidant/agir/1/allocations' },
          { name: text('Impôts de démonstration'), href: '/aidant/agir/1/impots' },
        ]}
        printHref="/aidant/mandats/1/texte"
        homeHref="/aidant"
      />
    ),
    'mandate-text': <MandatePage frame={aidant} data={signed} backHref="/aidant" />,
    'mandate-attested': (
      <MandatePage
        frame={usager}
        data={signed}
        backHref="/usager"
        attestation={{ ...attestation, qrSvg: QR, pdfHref: '/usager/mandats/1/attestation.pdf' }}
      />
    ),
    'mandate-attested-ended': (
      <MandatePage
        frame={aidant}
        data={signed}
        backHref="/aidant"
        attestation={{ ...attestation, endedAt: NOW, qrSvg: QR, pdfHref: '/aidant/mandats/1/attestation.pdf' }}
      />
    ),
    'mandate-altered': <MandatePage frame={aidant} data={signed} backHref="/aidant" attestation="altered" />,
    'end-receipt': (
      <ReceiptPage
        frame={usager}
        reference={text('M-7K4Q-2F9D')}
        organisation={text('Mairie de Thénac')}
        person={colette}
        ends={[
          {
            at: at('2026-03-03T14:31:01Z'),
            who: text('Vous avez arrêté le mandat avec la mairie de Thénac, pour : Logement.'),
            themes: ['logement'],
            left: ['famille'],
            index: 4811,
            leaf: 'q5Wc0m2VbFvY1m4mPqJz9tI7sL3uX8nEwKZrT6yHdaA',
          },
        ]}
        services={[{ name: text('La CAF'), knownAt: at('2026-03-03T14:31:02Z') }, { name: text('Impôts de démonstration') }]}
        origin={text('relais.example/log')}
        backHref="/x"
      />
    ),
    'stop-by-paper': <StopByPaperPage frame={open} post={post('/arreter')} spaceHref="/x" backHref="/" />,
    'stop-by-paper-received': (
      <StopByPaperPage
        frame={aidant}
        post={post('/aidant/arret')}
        received
        errors={[{ field: 'signed', code: 'signed_stop_required' }]}
        spaceHref="/x"
        backHref="/"
      />
    ),
    'stopped-by-paper': (
      <StoppedByPaperPage
        frame={open}
        reference={text('M-7K4Q-2F9D')}
        at={at('2026-03-03T14:31:01Z')}
        again={false}
        receipt={{ index: 4811, leaf: 'q5Wc0m2VbFvY1m4mPqJz9tI7sL3uX8nEwKZrT6yHdaA' }}
        backHref="/"
      />
    ),
    'other-mandates': (
      <OthersPage
        frame={open}
        post={post('/consentement/autres-mandats')}
        person={text('Madame Martin')}
        organisation={text('Mairie de Thénac')}
        others={[{ id: 'man_1', organisation: text('CCAS de Saintes'), themes: ['logement', 'famille'] }]}
        errors={[{ field: 'keep-man_1', code: 'keep_or_stop' }]}
        leaveHref="/x"
      />
    ),
    'verify-form': <VerifyPage frame={open} />,
    'verify-error': <VerifyPage frame={open} errors={[{ field: 'code', code: 'attestation_unknown' }]} />,
    'verify-valid': <VerdictPage frame={open} verdict={valid} now={NOW} />,
    'verify-paused': <VerdictPage frame={open} verdict={{ ...valid, organisationActive: false }} now={NOW} />,
    'verify-ended': (
      <VerdictPage frame={open} verdict={{ kind: 'ended', reference: valid.reference, organisation: valid.organisation, at: NOW }} now={NOW} />
    ),
    'verify-altered': <VerdictPage frame={open} verdict={{ kind: 'altered' }} now={NOW} />,
    'pick-person': (
      <PickPersonPage
        {...interaction}
        now={NOW}
        service={text('Allocations de démonstration')}
        people={people}
        total={3}
        filter={{ post: post('/interaction/1/chercher'), query: '', clearHref: '/interaction/1' }}
        createHref="/aidant/mandats/nouveau"
      />
    ),
    'pick-person-empty': (
      <PickPersonPage
        {...interaction}
        now={NOW}
        service={text('Allocations de démonstration')}
        people={[]}
        total={0}
        filter={{ post: post('/interaction/1/chercher'), query: '', clearHref: '/interaction/1' }}
        createHref="/aidant/mandats/nouveau"
      />
    ),
    'pick-person-error': (
      <PickPersonPage
        {...interaction}
        now={NOW}
        service={text('Allocations de démonstration')}
        people={people}
        total={3}
        filter={{ post: post('/interaction/1/chercher'), query: text('Martin'), clearHref: '/interaction/1' }}
        createHref="/x"
        errors={[{ field: 'person-1', code: 'person_required' }]}
        next="/interaction/1?page=2"
      />
    ),
    'pick-theme': <PickThemePage {...interaction} person={colette} themes={['famille', 'logement']} />,
    confirm: <ConfirmPage {...confirm} />,
    'confirm-other': <ConfirmPage {...confirm} endsFirst={{ person: text('Monsieur Jean Petit'), services: [text('Impôts de démonstration')] }} />,
    'usager-home': (
      <UsagerHomePage
        frame={usager}
        now={NOW}
        greeting={text('Madame Martin')}
        lines={lines}
        mandates={[
          { ...card, narrowing, used: true },
          { ...card, organisation: text('CCAS de Saintes'), aidants: [], otherAidants: 1, endsAt: endOfMandate(NOW, 1) },
        ]}
        checkpoint={{ size: 4790, at: at('2026-03-03T14:31:03Z') }}
        evidence={evidenceSample(lang, text)}
        older="/mon-espace?avant=4700"
      />
    ),
    'how-verified': <HowVerifiedPage frame={open} />,
    'usager-empty': <UsagerHomePage frame={usager} now={NOW} greeting={text('Madame Martin')} lines={[]} mandates={[]} />,
    'usager-entry': (
      <EntryPage
        frame={usager}
        entry={sent}
        origin={text('journal.relais.example/4f0c2a91')}
        checkpoint={{ size: 4790, at: at('2026-03-03T14:31:03Z') }}
        mandateReference={text('M-7K4Q-2F9D')}
        proofHref="/usager/entrees/4714/preuve"
        backHref="/mon-espace"
      />
    ),
    'usager-stop': (
      <StopMandatePage
        frame={usager}
        post={post('/mon-espace/mandats/1/arreter')}
        organisation={text('Mairie de Thénac')}
        themes={['logement', 'famille']}
        running={[text('Allocations de démonstration')]}
        backHref="/mon-espace"
      />
    ),
    'usager-stopped': (
      <MandateStoppedPage
        frame={usager}
        organisation={text('Mairie de Thénac')}
        at={at('2026-03-03T14:31:01Z')}
        services={[{ name: text('La CAF'), knownAt: at('2026-03-03T14:31:02Z') }, { name: text('Impôts de démonstration') }]}
        refreshHref="/mon-espace/mandats/1/arrete"
        backHref="/mon-espace"
      />
    ),
    mandates: (
      <MandatesPage
        frame={aidant}
        now={NOW}
        mandates={[
          {
            href: '/x',
            reference: text('M-7K4Q-2F9D'),
            person: text('Madame Colette Martin'),
            themes: ['logement', 'famille'],
            endsAt: at('2026-03-31T22:00:00Z'),
            method: 'franceconnect',
          },
          {
            href: '/x',
            reference: text('M-9D2F-QQ4K'),
            person: text('Monsieur Robert de La Tour-Saint-Rémy'),
            themes: ['argent'],
            endsAt: at('2026-03-31T22:00:00Z'),
            method: 'paper',
            ended: { at: at('2026-03-01T10:00:00Z'), reason: 'renounced' },
          },
        ]}
        total={2}
        filter={{ post: post('/x'), state: 'live', theme: '', end: '', name: text('') }}
        themes={['logement', 'famille', 'argent']}
        clearHref="/x"
        backHref="/x"
        next={post('/x')}
      />
    ),
    'mandates-none': (
      <MandatesPage
        frame={aidant}
        now={NOW}
        mandates={[]}
        total={0}
        filter={{ post: post('/x'), state: 'ended', theme: 'famille', end: '30', name: text('Martin') }}
        themes={['logement', 'famille']}
        clearHref="/x"
        backHref="/x"
      />
    ),
    renounce: (
      <RenouncePage
        frame={aidant}
        post={post('/x')}
        person={text('Madame Colette Martin')}
        organisation={text('Mairie de Thénac')}
        themes={['logement', 'famille']}
        backHref="/x"
      />
    ),
    renounced: (
      <RenouncedPage frame={aidant} person={text('Madame Colette Martin')} stopped={['logement']} left={['famille']} receiptHref="/x" backHref="/x" />
    ),
    'usager-stopped-part': (
      <MandateStoppedPage
        frame={usager}
        organisation={text('Mairie de Thénac')}
        at={at('2026-03-03T14:31:01Z')}
        part={{ stopped: ['logement'], left: ['famille', 'social'] }}
        services={[{ name: text('La CAF'), knownAt: at('2026-03-03T14:31:02Z') }]}
        refreshHref="/mon-espace/mandats/1/arrete"
        backHref="/mon-espace"
      />
    ),
    ...structureSamples(text, { aidant, post }),
    ...integrationSamples(text, { agent, post }),
    ...contestSamples(text, { aidant, usager, post }),
    ...statementSamples(lang, text, { open, usager, agent, post, now: NOW, qrSvg: QR }),
    'audit-start': <AuditPage {...audit} values={{}} errors={[{ field: 'reason', code: 'reason_required' }]} />,
    'audit-results': (
      <AuditPage
        {...audit}
        exportPost={post('/administration/exports')}
        exportsHref="/administration/exports"
        results={{
          rows: [
            remarked,
            row,
            { ...row, index: 4713, verb: 'read' },
            { ...row, index: 4712, outcome: 'failure', outsideMandate: true },
            { ...row, index: 4711, signInAgain: true },
            opened,
          ],
          next: post('/administration/journal'),
        }}
      />
    ),
    bar: <BarPage {...bar} barred={false} errors={[{ field: 'reason', code: 'bar_reason' }]} />,
    'bar-done': <BarPage {...bar} barred />,
    'audit-empty': <AuditPage {...audit} results={{ rows: [] }} />,
    logout: <LogoutPage frame={open} formHtml={LOGOUT_FORM} />,
    callback: (
      <CallbackPage
        frame={open}
        formHtml='<form id="op.callbackForm" method="post" action="https://service.example/retour"><input type="hidden" name="code" value="x"/></form>'
      />
    ),
    'signed-out': <SignedOutPage frame={open} />,
    'info-accessibility': <InfoPage frame={open} page="accessibility" />,
    'info-personal-data': <InfoPage frame={open} page="personalData" />,
    'info-verify': (
      <InfoPage
        frame={open}
        page="verify"
        checkpointNote={text(
          'journal.relais.example/4f0c2a91\n4790\nq5Wc0m2VbFvY1m4mPqJz9tI7sL3uX8nEwKZrT6yHdaA=\n\n— journal.relais.example/4f0c2a91 Az3grl==',
        )}
      />
    ),
    'provider-error': <ErrorPage frame={open} code="invalid_request" technical={text('invalid_request: redirect_uri did not match')} />,
    ...Object.fromEntries(
      Object.keys(fr.refusals).map((code) => [
        `error-${code}`,
        <ErrorPage
          frame={aidant}
          code={code}
          facts={{ time: text('14 h 31'), service: text('Allocations de démonstration'), person: colette }}
          actions={[
            { href: '/aidant', label: text('Revenir aux personnes') },
            { href: '/', label: text('Revenir à l’accueil') },
          ]}
        />,
      ]),
    ),
  };
};
