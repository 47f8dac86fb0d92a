import type { FastifyBaseLogger } from "fastify";
import { z } from "zod";
import type { Instance } from "../topology.js";
import { call } from "./call.js";
import type { Listener } from "./listener.js";

const HEARTBEAT_MS = 2000;
const heartbeatSchema = z.object({ rotation: z.int() });

/** Keeps one instance known to the registry and carries out the rotations it asks for. */
export class Membership {
  #timer: NodeJS.Timeout | undefined;
  #rotation: number | undefined;
  #nextRotationMs: number;
  #beating = false;

  constructor(
    private readonly registry: string,
    private readonly instance: Instance,
    private readonly listener: Listener,
    private readonly log: FastifyBaseLogger,
    private readonly rotateEveryMs: number,
  ) {
    this.#nextRotationMs = performance.now() + rotateEveryMs;
  }

  async start(): Promise<void> {
    await this.#beat();
    this.#timer = setInterval(() => void this.#beat(), HEARTBEAT_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await call(`${this.registry}/instances/${this.instance.name}`, {
      method: "DELETE",
      timeoutMs: 1000,
    }).catch(() => {});
  }

  async #beat(): Promise<void> {
    if (this.#beating) return;
    this.#beating = true;
    try {
      const wanted = await this.#report();
      // the first answer only gives the current count
      const asked = this.#rotation !== undefined && wanted > this.#rotation;
      this.#rotation = wanted;
      if (this.instance.moving && (asked || performance.now() >= this.#nextRotationMs)) await this.#rotate();
    } catch (error) {
      this.log.warn({ reason: (error as Error).message }, "the registry did not answer");
    } finally {
      this.#beating = false;
    }
  }

  async #rotate(): Promise<void> {
    this.#nextRotationMs = performance.now() + this.rotateEveryMs;
    const move = await this.listener.rotate();
    this.log.info(move, "moved to another port");
    await this.#report();
  }

  async #report(): Promise<number> {
    const body = {
      service: this.instance.service,
      instance: this.instance.name,
      address: this.instance.address,
      port: this.listener.port,
      draining: this.listener.draining,
    };
    let answer = await call(`${this.registry}/heartbeat`, { method: "POST", timeoutMs: 1500, body });
    if (answer.status === 404)
      answer = await call(`${this.registry}/register`, { method: "POST", timeoutMs: 1500, body });
    if (answer.status !== 200 && answer.status !== 201)
      throw new Error(`the registry answered ${answer.status}`);
    return heartbeatSchema.parse(answer.body).rotation;
  }
}
