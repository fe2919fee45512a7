import type { JSX } from 'hono/jsx/jsx-runtime';
import { type Lang, t } from '../i18n/language.ts';
import { Alert } from './parts.tsx';

interface PasskeyProps {
  readonly lang: Lang;
  readonly id: string;
  readonly kind: 'get' | 'create';
  /** PublicKeyCredentialRequestOptionsJSON, or CreationOptionsJSON for a new key. */
  readonly options: string;
  readonly label: string;
}

/**
 * A button inside a form, shown by `assets/passkey.js` where a browser knows passkeys: it fills the field `assertion` and sends the form. The page
 * must load the script (`script` of its Layout and of `kit.page`).
 */
export const PasskeyButton = ({ lang, id, kind, options, label }: PasskeyProps): JSX.Element => (
  <div hidden data-passkey={options} data-passkey-kind={kind}>
    <input type="hidden" name="assertion" value="" />
    <div class="actions">
      <button type="button" class="fr-btn" id={id}>
        <span>{label}</span>
      </button>
    </div>
    <div hidden data-passkey-failed="">
      <Alert tone="error" role="alert">
        <p>{t(lang).security.failed}</p>
      </Alert>
    </div>
  </div>
);
