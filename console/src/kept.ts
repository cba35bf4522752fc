/** What this browser remembers. Storage may be full or forbidden: then it is remembered until the page closes. */
function createKept(storage: () => Storage) {
  const here = new Map<string, string>();
  return {
    read(name: string): string | undefined {
      try {
        return storage().getItem(name) ?? here.get(name);
      } catch {
        return here.get(name);
      }
    },
    write(name: string, value: string): void {
      here.set(name, value);
      try {
        storage().setItem(name, value);
      } catch {
        // It stays in `here`.
      }
    },
    remove(name: string): void {
      here.delete(name);
      try {
        storage().removeItem(name);
      } catch {
        // It was never written.
      }
    },
    clear(): void {
      here.clear();
      try {
        storage().clear();
      } catch {
        // It was never written.
      }
    },
  };
}

/** Settings, and which messages were seen: for all tabs, for good. */
export const keptForGood = createKept(() => localStorage);
/** Drafts: for this tab, until it is closed. */
export const keptInTab = createKept(() => sessionStorage);
