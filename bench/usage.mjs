/** Tells the bench that a server of its is ready, and, whenever it asks, what the process has used up. */
export function serveUsage(ready) {
  process.send(ready);
  process.on('message', () => {
    const { user, system } = process.cpuUsage();
    process.send({
      cpu: (user + system) / 1e6,
      rss: process.memoryUsage.rss(),
      peak: process.resourceUsage().maxRSS * 1024,
    });
  });
  // The bench is gone, however it ended.
  process.on('disconnect', () => process.exit(1));
}
