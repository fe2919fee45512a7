import './guard.ts';
import { Frame, hour } from './mirror-pages.tsx';
import type { Demarche, Dossier, MirrorService } from './mirror-service.ts';
import type { Report, Session } from './mirror-session.ts';
import { ErrorSummary, FormField } from './simulator-page.tsx';

const day = new Intl.DateTimeFormat('fr-FR', { timeZone: 'UTC', day: 'numeric', month: 'long', year: 'numeric' });
const longDate = (date: string): string => (Number.isNaN(Date.parse(date)) ? date : day.format(new Date(date)));

/** Whether a mandate lets the aidant do this démarche. */
export const covered = (session: Session, demarche: Demarche): boolean =>
  !session.acting ||
  (demarche.themes.some((theme) => session.acting?.themes.includes(theme)) &&
    session.acting.privileges.includes(demarche.effect) &&
    (session.acting.demarches?.includes(demarche.code) ?? true));

/** The session is for one theme; the mandate may well have others. */
const whyNot = (session: Session, demarche: Demarche): string =>
  demarche.themes.some((theme) => session.acting?.themes.includes(theme))
    ? 'Le mandat ne permet pas cette démarche.'
    : 'Vous n’agissez pas pour la thématique de cette démarche.';

/** The list of what can be done, once signed in. */
export const DemarchesPage = ({ service, session, dossier }: { service: MirrorService; session: Session; dossier: Dossier }) => (
  <Frame service={service} title="Démarches" session={session}>
    <h1>{session.acting ? `Les démarches de ${session.person.name}` : `Bonjour ${session.person.name}`}</h1>
    <ul class="list">
      {service.demarches.map((demarche) => (
        <li class="fr-card">
          <h2 class="h3">
            {covered(session, demarche) ? (
              <a href={`/demarches/${demarche.slug}`} id={`demarche-${demarche.slug}`}>
                {demarche.title}
              </a>
            ) : (
              demarche.title
            )}
          </h2>
          <p>{demarche.intro}</p>
          {covered(session, demarche) ? null : <p class="soft">{whyNot(session, demarche)}</p>}
        </li>
      ))}
    </ul>
    <h2>Déjà envoyé</h2>
    {dossier.sent.length ? (
      <ul class="list">
        {dossier.sent.toReversed().map((one) => (
          <li class="fr-card">
            <p>
              <b>{one.title}</b>, aujourd’hui à {hour(one.at)}. Numéro : {one.reference}
            </p>
          </li>
        ))}
      </ul>
    ) : (
      <p class="soft">Rien pour l’instant. Ce que vous enverrez apparaîtra ici, avec son numéro.</p>
    )}
  </Frame>
);

const Person = ({ session, dossier }: { session: Session; dossier: Dossier }) => (
  <dl class="fr-card">
    <dt>Nom</dt>
    <dd>{session.person.name}</dd>
    {session.person.birthdate ? (
      <>
        <dt>Date de naissance</dt>
        <dd>{longDate(session.person.birthdate)}</dd>
      </>
    ) : null}
    <dt>Adresse connue</dt>
    <dd>{dossier.address}</dd>
  </dl>
);

const Rows = ({ rows }: { rows: NonNullable<ReturnType<NonNullable<Demarche['rows']>>> }) => (
  <table class="table">
    <caption>{rows.caption}</caption>
    <thead>
      <tr>
        {rows.head.map((name) => (
          <th scope="col">{name}</th>
        ))}
      </tr>
    </thead>
    <tbody>
      {rows.lines.map((line) => (
        <tr>
          {line.map((cell, at) => (
            <td data-label={rows.head[at]}>{cell}</td>
          ))}
        </tr>
      ))}
    </tbody>
  </table>
);

interface DemarcheProps {
  readonly service: MirrorService;
  readonly session: Session;
  readonly demarche: Demarche;
  readonly dossier: Dossier;
  /** One-time name of this form. */
  readonly form: string;
  readonly values?: Readonly<Record<string, string>>;
  readonly errors?: Readonly<Record<string, string>>;
}

/** One démarche: what is known, and the form when there is something to send. */
export const DemarchePage = ({ service, session, demarche, dossier, form, values = {}, errors = {} }: DemarcheProps) => (
  <Frame service={service} title={demarche.title} session={session} error={Object.keys(errors).length > 0}>
    <h1>{demarche.title}</h1>
    <ErrorSummary errors={errors} />
    <p>{demarche.intro}</p>
    <Person session={session} dossier={dossier} />
    {demarche.rows ? (
      <section class="fr-card">
        <Rows rows={demarche.rows(dossier)} />
      </section>
    ) : null}
    {demarche.fields.length ? (
      <form method="post" action={`/demarches/${demarche.slug}`}>
        <h2>À remplir</h2>
        <input type="hidden" name="_csrf" value={session.csrf} />
        <input type="hidden" name="_form" value={form} />
        {demarche.fields.map((field) => (
          <FormField field={field} value={values[field.name]} error={errors[field.name]} />
        ))}
        {session.acting ? (
          <div class="fr-alert">
            <p>{session.person.name} verra ce que vous envoyez, avec votre prénom et le nom de votre structure.</p>
          </div>
        ) : null}
        <div class="actions">
          <button class="fr-btn" id="envoyer" type="submit">
            {demarche.send ?? 'Envoyer'}
          </button>
          <a class="fr-btn fr-btn--quiet" href="/">
            Ne pas continuer
          </a>
        </div>
      </form>
    ) : (
      <p class="actions">
        <a class="fr-btn fr-btn--secondary" href="/">
          Revenir aux démarches
        </a>
      </p>
    )}
  </Frame>
);

const Told = ({ report }: { report: Report }) => {
  switch (report.kind) {
    case 'receipt':
      return (
        <p>
          C’est écrit dans le journal de Relais, à la ligne <b id="recu">{report.index}</b>.
        </p>
      );
    case 'pending':
      return <p>Relais ne répond pas pour l’instant. Le compte rendu partira dès qu’il répondra : vous n’avez rien à faire.</p>;
    case 'stale':
      return <p>Cette démarche demande une connexion plus récente, ou plus sûre. Relais l’a écrit dans son journal, que la personne peut lire.</p>;
    case 'refused':
      return (
        <p>
          Relais a refusé le compte rendu. Code : <code>{report.code}</code>
        </p>
      );
    case 'none':
      return null;
  }
};

interface DoneProps {
  readonly service: MirrorService;
  readonly session: Session;
  readonly demarche: Demarche;
  readonly reference: string;
  readonly at: Date;
  readonly report: Report;
}

/** What was sent: its number, and its place in the journal. */
export const DonePage = ({ service, session, demarche, reference, at, report }: DoneProps) => (
  <Frame service={service} title="C’est envoyé" session={session}>
    <h1>C’est envoyé</h1>
    <div class="fr-alert fr-alert--success" role="status">
      <p>
        <b>
          {demarche.title} : envoyé à {hour(at)}.
        </b>
      </p>
      <p>
        Numéro : <b id="reference">{reference}</b>
      </p>
      <Told report={report} />
    </div>
    {session.acting ? <p>Donnez ce numéro à {session.person.name}.</p> : <p>Gardez ce numéro.</p>}
    <p class="actions">
      <a class="fr-btn fr-btn--secondary" href="/">
        Revenir aux démarches
      </a>
    </p>
  </Frame>
);
