import type { Catalogue } from '../fr.ts';

/** A lost means of signing in, reported without signing in. */
export const lost: Catalogue['lost'] = {
  title: 'I lost my sign-in device',
  intro: 'Your phone or your key is lost, stolen, or used by somebody else? Suspend your access to Relais now.',
  steps: [
    'Write your work e-mail address.',
    'Relais sends a link there, valid for 24 hours.',
    'Open the link and press the button. Your access is then suspended.',
  ],
  label: 'Work e-mail address',
  hint: 'The address of your invitation, for example first.last@mairie.example.',
  button: 'Get the link',
  sent: {
    title: 'Open your mailbox',
    text: 'If this address is known, an e-mail is leaving now. Nothing is suspended yet.',
    next: 'Open the link in that e-mail, then press the button.',
    help: (number: string) => `No e-mail after 5 minutes, or no mailbox any more? Call the help line: ${number}.`,
  },
  confirm: {
    title: 'Suspend your access to Relais',
    intro: 'If you press the button, at once:',
    effects: ['you are signed out everywhere;', 'the procedures that you have opened stop, and their sites are told;', 'your lead contact is told.'],
    kept: 'The mandates stay. Your colleagues can go on helping people.',
    button: 'Suspend my access',
    mistake: 'You still have your means of signing in? Close this page: nothing changes.',
  },
  done: {
    title: 'Your access is suspended',
    text: 'Nobody can enter Relais with your account any more.',
    back: (number: string) => `To come back, speak to your lead contact, or call the help line: ${number}. You will prepare new means of signing in.`,
  },
};
