import './guard.ts';
import { Layout, type Programme } from './page.tsx';

export interface Field {
  readonly name: string;
  readonly label: string;
  readonly hint?: string;
  readonly value?: string;
  readonly choices?: readonly { readonly value: string; readonly label: string }[];
}

export interface SignInProps {
  readonly programme: Programme;
  /** Who asked: the client's name. */
  readonly client: string;
  readonly accounts: readonly { readonly id: string; readonly name: string; readonly story: string }[];
  /** The form for an identity of one's own. */
  readonly form: { readonly legend: string; readonly fields: readonly Field[] };
  readonly typed: Readonly<Record<string, string>>;
  readonly errors: Readonly<Record<string, string>>;
}

/** One labelled field, with its hint and its fault beside it. */
export const FormField = ({ field, value, error }: { field: Field; value?: string | undefined; error?: string | undefined }) => {
  const described = [field.hint ? `${field.name}-hint` : '', error ? `${field.name}-error` : ''].filter(Boolean).join(' ');
  const common = {
    id: field.name,
    name: field.name,
    'aria-describedby': described || undefined,
    'aria-invalid': error ? ('true' as const) : undefined,
  };
  const current = value ?? field.value ?? '';
  return (
    <div class="field">
      <label for={field.name}>{field.label}</label>
      {field.hint ? (
        <span class="hint" id={`${field.name}-hint`}>
          {field.hint}
        </span>
      ) : null}
      {error ? (
        <span class="error" id={`${field.name}-error`}>
          Erreur : {error}
        </span>
      ) : null}
      {field.choices ? (
        <select {...common}>
          {field.choices.map((choice) => (
            <option value={choice.value} selected={choice.value === current}>
              {choice.label}
            </option>
          ))}
        </select>
      ) : (
        <input {...common} type="text" value={current} autocomplete="off" />
      )}
    </div>
  );
};

/** The list of what must be corrected, each line leading to its field. */
export const ErrorSummary = ({ errors }: { errors: Readonly<Record<string, string>> }) =>
  Object.keys(errors).length ? (
    <div class="fr-alert fr-alert--error" role="alert">
      <p>
        <b>Il faut corriger ceci :</b>
      </p>
      <ul>
        {Object.entries(errors).map(([name, error]) => (
          <li>
            <a href={`#${name}`}>{error}</a>
          </li>
        ))}
      </ul>
    </div>
  ) : null;

/** The sign-in page of a simulator: one click an identity, a typed identifier, or an identity of one's own. */
export const SignInPage = ({ programme, client, accounts, form, typed, errors }: SignInProps) => (
  <Layout programme={programme} title="Choisir une identité de test" error={Object.keys(errors).length > 0}>
    <h1>Choisir une identité de test</h1>
    <p class="soft">
      <b>{client}</b> demande qui vous êtes. Ces personnes n’existent pas.
    </p>
    <ErrorSummary errors={errors} />
    <form method="post">
      <ul class="list">
        {accounts.map((account) => (
          <li>
            <button class="identity" id={`identite-${account.id}`} name="identity" value={account.id} type="submit">
              <b>{account.name}</b>
              {account.story}
            </button>
          </li>
        ))}
      </ul>
    </form>
    <h2>Ou taper un identifiant</h2>
    <form method="post">
      <FormField
        field={{ name: 'identifiant', label: 'Identifiant ou adresse électronique', hint: `Par exemple : ${accounts[0]?.id ?? ''}` }}
        value={typed['identifiant']}
        error={errors['identifiant']}
      />
      <div class="actions">
        <button class="fr-btn" type="submit">
          Se connecter
        </button>
      </div>
    </form>
    <details open={form.fields.some((field) => field.name in errors)}>
      <summary>{form.legend}</summary>
      <form method="post">
        <input type="hidden" name="saisie" value="oui" />
        {form.fields.map((field) => (
          <FormField field={field} value={typed[field.name]} error={errors[field.name]} />
        ))}
        <div class="actions">
          <button class="fr-btn fr-btn--secondary" type="submit">
            Se connecter avec cette identité
          </button>
        </div>
      </form>
    </details>
    <form method="post" class="actions">
      <button class="fr-btn fr-btn--quiet" id="abandonner" name="abort" value="oui" type="submit">
        Ne pas continuer
      </button>
    </form>
  </Layout>
);
