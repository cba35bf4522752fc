/**
 * What a process does: `web` answers HTTP and sockets, `worker` carries tasks out and lets go of what was kept long
 * enough, `channels` polls and streams. Processes on one PostgreSQL database may share them out as they like.
 */
export const roles = ['web', 'worker', 'channels'] as const;
export type Role = (typeof roles)[number];
