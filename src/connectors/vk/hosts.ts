/** Where VK keeps what people send, and takes what we send: nothing else is called for an address out of a message. */
const HOSTS = [
  'vk.com',
  'vk.ru',
  'userapi.com',
  'vkuserphoto.ru',
  'vkuseraudio.net',
  'vkuseraudio.com',
  'vkuser.net',
  'vk-cdn.net',
  'mycdn.me',
  'okcdn.ru',
];

/** Whether an address is one of VK's, or of the stand-in or proxy that the operator named. */
export function isOfVk(address: string | URL, apiRoot: string): boolean {
  const { protocol, hostname, host } = new URL(address);
  if (host === new URL(apiRoot).host) return true;
  return protocol === 'https:' && HOSTS.some((known) => hostname === known || hostname.endsWith(`.${known}`));
}
