import './guard.ts';
import type { Child } from 'hono/jsx';
import type { MirrorService } from './mirror-service.ts';
import type { Session } from './mirror-session.ts';
import { Layout } from './page.tsx';

const clock = new Intl.DateTimeFormat('fr-FR', { timeZone: 'Europe/Paris', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });

/** An hour as it is said: “14 h 32”. */
export const hour = (at: Date): string => clock.format(at).replace(':', '\u00a0h\u00a0');

const themeNames = (service: MirrorService, codes: readonly string[]): string =>
  codes.map((code) => service.themes.find((theme) => theme.code === code)?.label ?? code).join(' · ');

const StopForm = ({ session, quiet }: { session: Session; quiet?: boolean }) => (
  <form method="post" action="/arreter">
    <input type="hidden" name="_csrf" value={session.csrf} />
    <button class={quiet ? 'fr-btn fr-btn--quiet' : 'fr-btn'} id={quiet ? 'quitter' : 'arreter'} type="submit">
      {quiet ? 'Se déconnecter' : 'Arrêter'}
    </button>
  </form>
);

/** The amber banner: who acts, for whom, about what, for how long. Never shown when somebody acts for herself. */
const ActingBanner = ({ service, session }: { service: MirrorService; session: Session }) => {
  if (!session.acting) return null;
  const minutes = Math.max(0, Math.ceil((session.expiresAt - Date.now()) / 60_000));
  return (
    <section class="acting" aria-label="Vous agissez pour une autre personne">
      <div class="container row">
        <p>
          <strong>
            Un aidant de la structure {session.acting.organisation} agit pour {session.person.name}
          </strong>
          <br />
          {themeNames(service, session.acting.themes)} · encore {minutes} {minutes > 1 ? 'minutes' : 'minute'}
        </p>
        <StopForm session={session} />
      </div>
    </section>
  );
};

interface FrameProps {
  readonly service: MirrorService;
  readonly title: string;
  readonly session?: Session;
  readonly error?: boolean;
  readonly children?: Child;
}

/** Frames a page of a mirror service, with the banner when somebody acts. */
export const Frame = ({ service, title, session, error, children }: FrameProps) => (
  <Layout
    programme={service.programme}
    title={title}
    {...(error ? { error } : {})}
    {...(session?.acting ? { banner: <ActingBanner service={service} session={session} /> } : {})}
    {...(session && !session.acting ? { tools: <Own session={session} /> } : {})}
  >
    {children}
  </Layout>
);

const Own = ({ session }: { session: Session }) => (
  <>
    <span>{session.person.name}</span>
    <StopForm session={session} quiet />
  </>
);

/** The door of the service, before anybody has signed in. */
export const WelcomePage = ({ service }: { service: MirrorService }) => (
  <Frame service={service} title="Accueil">
    <h1>{service.name}</h1>
    <p>{service.welcome}</p>
    <div class="grid">
      <section class="fr-card">
        <h2 class="h3">Pour vous-même</h2>
        <p>Vous vous connectez, vous faites vos démarches.</p>
        <p class="actions">
          <a class="fr-btn" id="se-connecter" href="/connexion">
            Se connecter avec Relais
          </a>
        </p>
      </section>
      <section class="fr-card">
        <h2 class="h3">Pour une autre personne</h2>
        <p>Vous êtes aidant habilité, et cette personne vous a donné un mandat.</p>
        <p class="actions">
          <a class="fr-btn fr-btn--secondary" id="agir-pour" href="/connexion/aidant">
            Un aidant agit pour quelqu’un
          </a>
        </p>
      </section>
    </div>
    <details>
      <summary>Pour les développeurs : les deux façons de demander un mandat</summary>
      <p>La réponse est la même. Seule la demande change.</p>
      <ul>
        {service.themes.flatMap((theme) => [
          <li>
            <a href={`/connexion/aidant?theme=${theme.code}`}>
              {theme.label}, par le périmètre <code>dlg:{theme.code}</code>
            </a>
          </li>,
          <li>
            <a href={`/connexion/aidant?theme=${theme.code}&demande=details`}>
              {theme.label}, par <code>authorization_details</code>
            </a>
          </li>,
        ])}
      </ul>
    </details>
  </Frame>
);

/** Why the aidant cannot go on; nothing was sent, and the service's own session is over. */
export const StoppedPage = ({ service, session }: { service: MirrorService; session: Session }) => {
  const late = !session.ended;
  const title = session.acting ? `Vous ne pouvez plus agir pour ${session.person.name}` : 'Votre session est terminée';
  return (
    <Frame service={service} title={title} error>
      <h1>{title}</h1>
      <div class="fr-alert fr-alert--error" role="alert">
        {session.acting && !late ? (
          <p>
            <b>
              Ce mandat a été arrêté, ou la session est terminée
              {session.ended?.how === 'told' ? `, à ${hour(session.ended.at)}` : ''}.
            </b>
          </p>
        ) : (
          <p>
            <b>{late ? 'Le temps de la session est passé.' : 'Relais a terminé cette session.'}</b>
          </p>
        )}
        <p>Rien n’a été transmis {service.to}.</p>
      </div>
      {session.acting ? (
        <p>
          {late
            ? 'Si le mandat dure encore, recommencez depuis l’accueil.'
            : 'Regardez votre liste dans Relais. Si la personne n’y est plus, demandez-lui si elle veut créer un nouveau mandat.'}
        </p>
      ) : (
        <p>Connectez-vous de nouveau pour continuer.</p>
      )}
      <p class="actions">
        <a class="fr-btn" href="/">
          Revenir à l’accueil
        </a>
      </p>
    </Frame>
  );
};

/** Shown after a logout that the person asked for. */
export const ByePage = ({ service }: { service: MirrorService }) => (
  <Frame service={service} title="C’est terminé">
    <h1>C’est terminé</h1>
    <div class="fr-alert fr-alert--success" role="status">
      <p>
        <b>Votre session aux {service.name} est fermée.</b>
      </p>
      <p>Personne ne peut continuer depuis cet ordinateur sans se connecter de nouveau.</p>
    </div>
    <p class="actions">
      <a class="fr-btn fr-btn--secondary" href="/">
        Revenir à l’accueil
      </a>
    </p>
  </Frame>
);
