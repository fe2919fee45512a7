import './guard.ts';
import { PERSONS, STAFF } from './identities.ts';
import { MESSAGES } from './messages-page.tsx';
import { Layout } from './page.tsx';

const NONE = 'access_denied, quand l’aidant revient au site sans personne à choisir.';

/** What the site under test receives when Karim acts there for each test person, with the mandates that the demonstration begins with. */
export const RECEIVED: Readonly<Record<string, string>> = {
  colette: 'Sans mandat au départ : access_denied. Avec un mandat créé par l’aidant : un jeton délégué.',
  jean: 'Un jeton délégué, pour l’argent, la famille ou le logement.',
  mineur: NONE,
  revoquee: 'Un jeton délégué pour le logement. Peu après, l’introspection répond « active: false » et le site est averti.',
  expiree: NONE,
  'mauvais-theme': 'access_denied pour une autre thématique que les transports.',
  'deux-structures': 'Un jeton délégué pour le logement, au nom de la structure choisie.',
  'noms-longs': 'Un jeton délégué pour l’argent ou le social, avec des noms très longs.',
  etranger: NONE,
  incomplete: NONE,
  'un-aidant': NONE,
};

interface Line {
  readonly id: string;
  readonly who: string;
  readonly story: string;
  readonly received?: string;
}

const Table = ({ caption, lines, last }: { caption: string; lines: readonly Line[]; last?: string }) => (
  <table class="table">
    <caption>{caption}</caption>
    <thead>
      <tr>
        <th scope="col">Identité</th>
        <th scope="col">Ce qui lui arrive</th>
        {last ? <th scope="col">{last}</th> : null}
      </tr>
    </thead>
    <tbody>
      {lines.map(({ id, who, story, received }) => (
        <tr>
          <th scope="row">
            <code>{id}</code> {who}
          </th>
          <td data-label="Ce qui lui arrive">{story}</td>
          {last ? <td data-label={last}>{received}</td> : null}
        </tr>
      ))}
    </tbody>
  </table>
);

/** Every test identity, named after its outcome, with what a site that is being integrated receives. */
export const IdentitiesPage = () => (
  <Layout programme={MESSAGES} title="Identités de test">
    <h1>Identités de test</h1>
    <p class="soft">Le nom de chaque identité dit ce qui lui arrive. Choisissez-la sur la page de connexion simulée.</p>
    <p class="actions">
      <a class="fr-btn" id="codes" href="/">
        Messages et codes
      </a>
    </p>
    <h2>Personnes, avec FranceConnect</h2>
    <Table
      caption="Ce que reçoit le site quand Karim Benali agit pour chaque personne"
      lines={PERSONS.map(({ id, given_name, family_name, story }) => ({
        id,
        who: `${given_name} ${family_name}`.trim(),
        story,
        received: RECEIVED[id] ?? '',
      }))}
      last="Ce que reçoit le site"
    />
    <h2>Professionnels, avec ProConnect</h2>
    <Table
      caption="Aidants, agents et opérateurs"
      lines={STAFF.map(({ id, given_name, usual_name, story }) => ({ id, who: `${given_name} ${usual_name}`, story }))}
    />
  </Layout>
);
