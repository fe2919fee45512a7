import './guard.ts';
import { themeLabel } from '../web/i18n/sentence.ts';
import { Layout, type Programme } from './page.tsx';

/** Where a service would have sent the person: FranceConnect's choice of an identity provider, with Relais alone. */
export const FrontHome = ({ programme, themes }: { programme: Programme; themes: readonly string[] }) => (
  <Layout programme={programme} title="Choisissez comment vous connecter">
    <h1>Choisissez comment vous connecter</h1>
    <p>Vous aidez quelqu’un et vous avez un mandat ? Connectez-vous par Relais.</p>
    <p class="actions">
      <a class="fr-btn" id="relais" href="/connexion">
        Continuer avec Relais
      </a>
    </p>
    <h2>Pour une seule thématique</h2>
    <ul>
      {themes.map((theme) => (
        <li>
          <a href={`/connexion?theme=${theme}`}>{themeLabel(theme, 'fr')}</a>
        </li>
      ))}
    </ul>
  </Layout>
);

/** What FranceConnect would give to the service. */
export const FrontIdentity = ({
  programme,
  answer,
}: {
  programme: Programme;
  answer: { readonly idToken: Readonly<Record<string, unknown>>; readonly userinfo: Readonly<Record<string, unknown>> };
}) => (
  <Layout programme={programme} title="Identité reçue">
    <h1>Identité reçue de Relais</h1>
    <dl>
      {['given_name', 'family_name', 'preferred_username', 'birthdate', 'birthplace', 'birthcountry', 'gender', 'email'].map((name) =>
        answer.userinfo[name] === undefined ? null : (
          <>
            <dt>{name}</dt>
            <dd id={name}>{String(answer.userinfo[name])}</dd>
          </>
        ),
      )}
      <dt>Représentée pour</dt>
      <dd id="rep_scope">{[answer.idToken['rep_scope']].flat().join(', ')}</dd>
    </dl>
    <p class="actions">
      <a class="fr-btn" id="leave" href="/deconnexion">
        Se déconnecter
      </a>
    </p>
  </Layout>
);
