import { createApp } from "../service/app.js";
import type { Identity } from "../service/identity.js";
import { runService } from "../service/run-service.js";

interface Mail {
  key: string;
  to: string;
  subject: string;
  text: string;
}

const MAILBOX_LIMIT = 500;

const mailSchema = {
  type: "object",
  required: ["key", "to", "subject", "text"],
  additionalProperties: false,
  properties: {
    key: { type: "string", format: "uuid" },
    to: { type: "string", format: "email", maxLength: 200 },
    subject: { type: "string", minLength: 1, maxLength: 200 },
    text: { type: "string", maxLength: 4000 },
  },
} as const;

/** Keeps a mailbox in memory and sends nothing. Mails with the same key count once. */
export async function startEmail(identity: Identity): Promise<void> {
  const mailbox = new Map<string, Mail & { at: string }>();
  const app = createApp(identity.instance.name, () => ({ mails: mailbox.size }));

  app.http.post<{ Body: Mail }>("/mails", { schema: { body: mailSchema } }, (request, reply) => {
    const { key } = request.body;
    if (mailbox.has(key)) return reply.code(200).send({ status: "already there" });
    mailbox.set(key, { ...request.body, at: new Date().toISOString() });
    const oldest = mailbox.keys().next().value;
    if (mailbox.size > MAILBOX_LIMIT && oldest !== undefined) mailbox.delete(oldest);
    return reply.code(201).send({ status: "kept" });
  });

  app.http.get("/mails", () => ({ mails: [...mailbox.values()].reverse().slice(0, 50) }));

  await runService(identity, app);
}
