import type { Catalogue } from '../fr.ts';

export const security: Catalogue['security'] = {
  title: 'My ways to sign in',
  link: 'My ways to sign in',
  use: 'Use my passkey',
  sign: 'Sign with my passkey',
  orCode: 'Use a code instead',
  failed: 'The passkey did not answer. Try again, or use a code.',
  keyIntro: 'A passkey is ready: your finger, your face or the code of your device is enough.',
  done: {
    ajoutee: 'The passkey is added. You can use it from your next sign-in.',
    retiree: 'The passkey is removed. It is of no use any more.',
    secours:
      'You signed in with a recovery code. It cannot be used again. To change your means, a passkey or your code is needed. You have neither any more? Choose “I lost my sign-in device” on the home page.',
  },
  fresh: {
    title: 'To change something here, first confirm that it is you',
    text: 'Your last confirmation is more than 5 minutes old.',
    button: 'Confirm that it is me',
  },
  keys: {
    title: 'Passkeys',
    none: 'You have no passkey yet',
    why: 'A passkey replaces the code to copy. It works on Relais only: a false site cannot use it.',
    added: 'Added',
    used: 'Last used',
    never: 'Never',
    revoke: 'Remove',
    revokeMore: (name) => ` the passkey ${name}`,
    name: 'Name of the new passkey',
    nameHint: 'To know it again later, for example: office computer.',
    add: 'Add a passkey',
  },
  code: {
    title: 'Verification code',
    text: 'Your code application is ready. It always works, even without a passkey.',
  },
  recovery: {
    title: 'Recovery codes',
    text: 'A recovery code lets you in once, when you have neither passkey nor phone. It cannot sign a mandate.',
    left: (count) =>
      count === 0 ? 'You have no recovery code.' : count === 1 ? 'You have 1 recovery code left.' : `You have ${count} recovery codes left.`,
    make: 'Make 10 recovery codes',
    again: 'Replace them by 10 new codes',
    madeTitle: 'Your 10 recovery codes',
    once: 'Print or copy these codes now. They will not be shown again. Former codes no longer work.',
    kept: 'I have kept my codes',
    signInTitle: 'Sign in with a recovery code',
    signInText: 'Write one of the codes that you kept. Each code works once.',
    label: 'Recovery code',
    hint: '16 letters and digits, for example ABCD-EFGH-2345-6723.',
    button: 'Sign in',
    link: 'Use a recovery code',
  },
  create: {
    title: 'Add a passkey',
    text: (name) => `Your device will make the passkey “${name}”. It will ask for your finger, your face or its code.`,
    button: 'Make the passkey on this device',
    noScript: 'Your browser blocks scripts: it cannot make a passkey. Your verification code still works.',
  },
  stepUp: {
    title: 'Confirm that it is you',
    text: 'Relais asks before an important change. It holds for 5 minutes.',
    forSite: 'The website asks for a recent proof that it is you. Then you go on where you were.',
    proconnect: 'Go through ProConnect instead',
  },
};
