import type { Mandate } from '../../mandates/mandate.ts';
import { covered, isHeld } from '../../mandates/narrowing.ts';
import type { Service } from '../../services/service.ts';

/** Lists the sites where a mandate can be used: those that cover one of its live themes, accept delegation, and say how to start. */
export const usableAt = (mandate: Mandate, services: readonly Service[]): { readonly name: string; readonly href: string }[] =>
  services.flatMap((service) => {
    const themes = mandate.themes.flatMap((each) => (each.endedAt === undefined && service.themes.includes(each.theme) ? [each.theme] : []));
    const inThemes = service.demarches.filter((demarche) => demarche.themes.some((theme) => themes.includes(theme)));
    const usable = isHeld(mandate.narrowing) ? covered(mandate.narrowing, inThemes).length > 0 : themes.length > 0;
    return usable && !mandate.used && service.status === 'approved' && service.delegationSupported && service.initiateLoginUri
      ? [{ name: service.name, href: `/aidant/agir/${mandate.id}/${service.id}` }]
      : [];
  });
