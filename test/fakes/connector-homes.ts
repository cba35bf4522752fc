import { existsSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';

/**
 * The folder of each connector below `src/connectors`: `line`, or `meta/messenger` where several share the code of a
 * family, whose own folder has no connector of its name.
 */
export function connectorHomes(root: string): string[] {
  const all = join(root, 'src/connectors');
  const foldersIn = (folder: string) =>
    readdirSync(join(all, folder), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => join(folder, name));
  const isConnector = (folder: string) => existsSync(join(all, folder, `${basename(folder)}.ts`));
  return foldersIn('').flatMap((folder) => {
    const members = isConnector(folder) ? [] : foldersIn(folder).filter(isConnector);
    return members.length > 0 ? members : [folder];
  });
}
