import type { Catalogue } from '../fr.ts';
import { type RefusalFacts, refusal } from '../refusal-shape.ts';

const site = (facts: RefusalFacts): string => (facts.service === undefined ? 'This website' : `The ${facts.service} website`);
const NOTHING_SENT = 'Nothing was sent to the website.';
const NOTHING_CHANGED = 'Nothing was changed.';
const NO_MANDATE = 'The mandate was not created.';
const NOT_IN = 'You are not signed in.';

export const refusals: Catalogue['refusals'] = {
  not_habilitated: refusal(
    'You are not authorised',
    'ProConnect has recognised you, but this account is not linked to any organisation in Relais.',
    NOT_IN,
    'Did you receive a link by e-mail? Open it first. Otherwise ask the lead contact of your organisation to add you.',
  ),
  operateur_space: refusal(
    'Your space is the command line',
    'You are an operator. Relais has no pages for this role yet.',
    NOTHING_CHANGED,
    'Use the relais command, for example: relais approvals list.',
  ),
  invited_not_enrolled: refusal(
    'Your registration is not finished',
    'Your organisation has invited you, but you have not prepared your verification code yet.',
    NOT_IN,
    'Open the link received by e-mail. It is valid for 24 hours. If it is too old, ask your lead contact for another.',
  ),
  enrolment_link_invalid: refusal(
    'This link no longer works',
    'It has already been used, or it is more than 24 hours old.',
    NOTHING_CHANGED,
    'Ask the lead contact of your organisation for a new link.',
  ),
  upstream_unavailable: refusal(
    'The sign-in does not answer',
    (facts) => `${facts.service ?? 'The sign-in service'} did not answer in time.`,
    NOT_IN,
    'Wait a minute, then try again.',
  ),
  upstream_refused: refusal(
    'The sign-in did not take place',
    (facts) => `${facts.service ?? 'The sign-in service'} stopped the sign-in, or you left it.`,
    NOT_IN,
    'You can start again whenever you like.',
  ),
  upstream_invalid: refusal(
    'The sign-in is not safe',
    (facts) => `The answer of ${facts.service ?? 'the sign-in service'} is not the one that Relais expected.`,
    NOT_IN,
    'Start again from the home page. If it goes on, call for help.',
  ),
  upstream_weak: refusal(
    'This sign-in is not safe enough',
    'The means used does not prove well enough who you are.',
    NOT_IN,
    'Start again with a safer means, one that asks for two proofs.',
  ),
  state_mismatch: refusal(
    'This sign-in started elsewhere',
    'The answer received does not match a request made in this browser.',
    NOT_IN,
    'Start again from the home page, in one window only.',
  ),
  session_expired: refusal(
    'You have been signed out',
    'You did nothing for 15 minutes, or your day of connection is over.',
    'What you had not sent yet is not kept.',
    'Sign in again.',
  ),
  csrf: refusal(
    'This page is too old',
    'The page was opened before your last sign-in.',
    NOTHING_CHANGED,
    'Go back to the home page, then start again.',
  ),
  not_found: refusal(
    'This page does not exist',
    'The address is wrong, or the page is not for you.',
    NOTHING_CHANGED,
    'Check the address, or go back to the home page.',
  ),
  too_many_codes: refusal(
    'Too many wrong codes',
    'Several wrong codes were written in a row.',
    'Your codes are blocked for 15 minutes.',
    'Wait, then try with a new code. It was not you? Call for help.',
  ),
  wrong_code: refusal(
    'This is not the right code',
    'The code does not match the one of your application.',
    NOTHING_CHANGED,
    'Wait for the next code, then copy it.',
  ),
  code_already_used: refusal(
    'This code has already been used',
    'A verification code works only once.',
    NOTHING_CHANGED,
    'Wait for the next code, within 30 seconds.',
  ),
  mandate_revoked: refusal(
    'This mandate was stopped',
    (facts) => (facts.time === undefined ? 'This mandate was stopped.' : `This mandate was stopped by the person at ${facts.time}.`),
    NOTHING_SENT,
    'Ask them whether they want to create a new mandate.',
  ),
  mandate_ended: refusal(
    'Mandate ended',
    'This mandate is no longer valid: its end date has passed, or another has replaced it.',
    NOTHING_SENT,
    'Create a new mandate with the person if they want.',
  ),
  mandate_not_active: refusal(
    'This mandate cannot be used',
    'It is no longer active.',
    NOTHING_SENT,
    'Go back to the list of people to see the current mandates.',
  ),
  no_mandate_for_service: refusal(
    'No mandate for this website',
    (facts) => `${site(facts)} matches no current mandate of this person with your organisation.`,
    NOTHING_SENT,
    'Check the organisation chosen, or create a mandate with the person.',
  ),
  delegation_not_supported: refusal(
    'This website does not accept helpers',
    (facts) => `${site(facts)} is not made for signing in for someone else.`,
    NOTHING_SENT,
    'The person must sign in by themselves, with your help if they want.',
  ),
  theme_not_covered: refusal(
    'The theme is not in the mandate',
    'The website asks for a theme that the person has not chosen, or that your authorisation does not allow.',
    NOTHING_SENT,
    'Create a new mandate with the person, for this theme.',
  ),
  organisation_suspended: refusal(
    'Your organisation is suspended',
    'The authorisation of your organisation is suspended.',
    'Its mandates cannot be used for the moment.',
    'Ask your lead contact for an explanation.',
  ),
  aidant_suspended: refusal(
    'Your access is suspended',
    'Your authorisation is suspended.',
    'You cannot act for anyone.',
    'Ask your lead contact for an explanation.',
  ),
  minor: refusal(
    'The mandate is not possible',
    'The person is under 18.',
    NO_MANDATE,
    'Their parents, or whoever represents them, must carry out the procedure.',
  ),
  renewal_refused: refusal(
    'This mandate cannot be renewed',
    'It ended more than a year ago, or another has replaced it.',
    NO_MANDATE,
    'Create a new mandate with the person if they want it.',
  ),
  person_deceased: refusal(
    'The mandate is not possible',
    'We were told that this person has died.',
    NO_MANDATE,
    'If this is a mistake, call the Relais helpline.',
  ),
  protected_person: refusal(
    'The mandate is not possible',
    'The person is under guardianship, curatorship or judicial protection.',
    NO_MANDATE,
    'Contact the person in charge of their protection.',
  ),
  self_dealing: refusal(
    'The mandate is not possible',
    'The person signed in is you. A helper cannot give themselves a mandate.',
    NO_MANDATE,
    'Use your own account for your procedures, or ask another helper.',
  ),
  identity_incomplete: refusal(
    'The identity received is incomplete',
    'FranceConnect did not give all the information needed to recognise the person.',
    NO_MANDATE,
    'The person can try with another FranceConnect account.',
  ),
  usager_mismatch: refusal(
    'This is not the same person',
    'The person signed in is not the one of the mandate you are preparing.',
    NOTHING_CHANGED,
    'Start again with the right person.',
  ),
  consent_not_given: refusal(
    'The person did not sign in',
    'The FranceConnect sign-in was stopped, by the person or by FranceConnect.',
    NO_MANDATE,
    'Ask the person whether they still want to give a mandate. If so, they can start again.',
  ),
  consent_failed: refusal(
    'The person’s sign-in did not succeed',
    'FranceConnect did not give an answer that Relais can accept.',
    NO_MANDATE,
    'Wait one minute, then start again with the person. If it goes on, call the help line.',
  ),
  draft_expired: refusal('This mandate in preparation is too old', 'It was not signed in time.', NO_MANDATE, 'Start again with the person.'),
  draft_closed: refusal(
    'This mandate in preparation is already closed',
    'It has already been signed or given up.',
    'Nothing was created a second time.',
    'Look at the list of people: the mandate may already be there.',
  ),
  interaction_expired: refusal(
    'This request is too old',
    'The website was waiting for an answer, and the time is over.',
    NOTHING_SENT,
    'Go back to the public service website and start again.',
  ),
  interaction_not_yours: refusal(
    'This request is not yours',
    'It was opened in another browser or by someone else.',
    NOTHING_SENT,
    'Go back to the public service website and start again.',
  ),
  other_organisation_selected: refusal(
    'Another organisation is chosen',
    'This mandate is with an organisation other than the one chosen now.',
    NOTHING_SENT,
    'Change organisation, then start again.',
  ),
  service_disabled: refusal(
    'This website is no longer linked to Relais',
    (facts) => `${site(facts)} has been removed.`,
    NOTHING_SENT,
    'Ask the administration how to carry out the procedure.',
  ),
  unmet_level: refusal(
    'The website asks for more proof',
    (facts) => `${site(facts)} asks for a stronger proof of identity than this mandate has.`,
    NOTHING_SENT,
    'Create a new mandate with a stronger means, or carry out the procedure with the person.',
  ),
  invalid_request: refusal(
    'Relais does not understand this request',
    'A piece of information is missing or badly written.',
    NOTHING_CHANGED,
    'Go back, then start again. If it goes on, call for help.',
  ),
  too_large: refusal(
    'This is too large',
    'What you sent is more than Relais accepts.',
    NOTHING_CHANGED,
    'Write less, then start again. If it goes on, call for help.',
  ),
  unsupported_media_type: refusal(
    'Relais does not read this format',
    'The page sent a format that Relais does not read.',
    NOTHING_CHANGED,
    'Go back, then start again. If it goes on, call for help.',
  ),
  access_denied: refusal(
    'The procedure is not open',
    'The request was stopped.',
    NOTHING_SENT,
    'You can start again from the public service website.',
  ),
  too_many_requests: refusal(
    'Too many requests',
    'Relais received too many requests from you in a short time.',
    NOTHING_CHANGED,
    'Wait a minute, then try again.',
  ),
  unavailable: refusal('Relais does not answer', 'Relais has a problem.', NOTHING_CHANGED, 'Wait a few minutes, then try again.'),
  journal_unavailable: refusal(
    'The log does not answer',
    'Relais cannot write in the log. Without a trace, nothing is done.',
    NOTHING_CHANGED,
    'Wait a few minutes, then try again.',
  ),
  unexpected: refusal(
    'This action could not be done',
    'Relais stopped this action.',
    NOTHING_CHANGED,
    'Go back to the home page, then start again. If it goes on, call for help.',
  ),
};
