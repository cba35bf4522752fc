// The yardstick of P1: Express 5 that reads the JSON and answers it, and stores nothing.
import express from 'express';
import { serveUsage } from './usage.mjs';

const app = express();
app.use(express.json());
app.post('/webhooks/intake', (request, response) => {
  response.json(request.body);
});
const server = app.listen(0, '127.0.0.1', () => {
  serveUsage({ port: server.address().port });
});
