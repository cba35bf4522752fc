/** Portals of one system, each with keys of its own; which one it is shows in the address of the cabinet. */
export const PLATFORMS = ['uiscom', 'comagic', 'callgear', 'novofon'] as const;
export type Platform = (typeof PLATFORMS)[number];

const DOMAINS: Readonly<Record<Platform, string>> = {
  uiscom: 'uiscom.ru',
  comagic: 'comagic.ru',
  callgear: 'callgear.com',
  novofon: 'novofon.ru',
};

/** Where a portal is asked, without a slash at the end. */
export interface Places {
  readonly dataApi: string;
  readonly callApi: string;
  /** Where recordings lie that are only named. */
  readonly files: string;
  /** Whether a recording may be fetched from there. */
  isOurs(url: URL): boolean;
}

/**
 * Both APIs and the recordings, or all three at a stand-in. The versions are part of the addresses:
 * https://callgear.github.io/data_api/, https://callgear.github.io/call_api/, https://novofon.github.io/data_api/
 */
export function placesOf(platform: Platform, apiRoot: string | undefined): Places {
  const domain = DOMAINS[platform];
  const host = (name: string) => apiRoot ?? `https://${name}.${domain}`;
  const suffix = platform === 'novofon' ? '-jsonrpc' : '';
  return {
    dataApi: `${host(`dataapi${suffix}`)}/v2.0`,
    callApi: `${host(`callapi${suffix}`)}/v4.0`,
    files: host('app'),
    isOurs({ protocol, host: at, origin }) {
      if (apiRoot !== undefined && origin === new URL(apiRoot).origin) return true;
      return protocol === 'https:' && (at === domain || at.endsWith(`.${domain}`));
    },
  };
}
