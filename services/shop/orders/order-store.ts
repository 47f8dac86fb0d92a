import pg from "pg";
import type { Certificate } from "../../bft/message.js";
import { SHOP } from "../../servers/postgres.js";

export interface PricedItem {
  productId: number;
  quantity: number;
  priceCents: number;
}

export interface Order {
  id: string;
  customer: string;
  totalCents: number;
  payment: { status: "pending" | "paid" | "refused"; reason: string | null };
  createdAt: string;
  items: PricedItem[];
}

/** The database did not answer; the result of the request is unknown. */
export class StoreAway extends Error {
  override readonly name = "StoreAway";
  readonly statusCode = 503;
  readonly expose = true;
}

/** The same operation was already carried out with another content. */
export class AlreadyDifferent extends Error {
  override readonly name = "AlreadyDifferent";
}

const SELECT = `
select o.id, o.customer, o.total_cents, o.payment_status, o.payment_reason, o.created_at,
  (select json_agg(json_build_object('productId', i.product_id, 'quantity', i.quantity, 'priceCents', i.price_cents)
    order by i.product_id) from order_items i where i.order_id = o.id) as items
from orders o`;

/** Orders in PostgreSQL. A row in `commits` and its changes are written in one transaction, once. */
export class OrderStore {
  readonly #pool: pg.Pool;

  constructor(options: { host: string; port: number; password: string }, onError: (error: Error) => void) {
    this.#pool = new pg.Pool({
      ...options,
      user: SHOP,
      database: SHOP,
      max: 5,
      connectionTimeoutMillis: 1500,
      idleTimeoutMillis: 30_000,
      query_timeout: 3000,
      statement_timeout: 2500,
      application_name: "order-service",
    });
    this.#pool.on("error", onError);
  }

  async ready(): Promise<boolean> {
    return this.#query("select 1", []).then(
      () => true,
      () => false,
    );
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }

  async applyOrder(certificate: Certificate, node: string, order: Omit<Order, "payment" | "createdAt">) {
    await this.#commitOnce(certificate, node, async (client) => {
      await client.query("insert into orders (id, customer, total_cents) values ($1, $2, $3)", [
        order.id,
        order.customer,
        order.totalCents,
      ]);
      for (const item of order.items)
        await client.query(
          "insert into order_items (order_id, product_id, quantity, price_cents) values ($1, $2, $3, $4)",
          [order.id, item.productId, item.quantity, item.priceCents],
        );
    });
  }

  async applyPayment(certificate: Certificate, node: string, orderId: string) {
    await this.#commitOnce(certificate, node, async (client) => {
      await client.query(
        "update orders set payment_status = 'paid', payment_reason = null where id = $1 and payment_status <> 'paid'",
        [orderId],
      );
    });
  }

  async refusePayment(orderId: string, reason: string): Promise<void> {
    await this.#query(
      "update orders set payment_status = 'refused', payment_reason = $2 where id = $1 and payment_status <> 'paid'",
      [orderId, reason],
    );
  }

  async committedDigest(opId: string, kind: string): Promise<string | undefined> {
    const rows = await this.#query("select digest from commits where op_id = $1 and kind = $2", [opId, kind]);
    return rows[0]?.digest as string | undefined;
  }

  async order(id: string): Promise<Order | undefined> {
    const rows = await this.#query(`${SELECT} where o.id = $1`, [id]);
    return rows[0] && orderOf(rows[0]);
  }

  async newest(limit: number): Promise<Order[]> {
    const rows = await this.#query(`${SELECT} order by o.created_at desc, o.id limit $1`, [limit]);
    return rows.map(orderOf);
  }

  async #query(text: string, values: unknown[]): Promise<Record<string, unknown>[]> {
    try {
      return (await this.#pool.query(text, values)).rows;
    } catch (error) {
      throw storeError(error);
    }
  }

  async #commitOnce(
    { opId, kind, digest, votes }: Certificate,
    node: string,
    effect: (client: pg.PoolClient) => Promise<void>,
  ): Promise<void> {
    let client: pg.PoolClient;
    try {
      client = await this.#pool.connect();
    } catch (error) {
      throw storeError(error);
    }
    let broken = false;
    // a client that is out of the pool has no listener of the pool's
    const onLost = (): void => {
      broken = true;
    };
    client.on("error", onLost);
    try {
      await client.query("begin");
      const inserted = await client.query(
        "insert into commits (op_id, kind, digest, certificate, applied_by) values ($1, $2, $3, $4, $5) on conflict do nothing",
        [opId, kind, digest, JSON.stringify(votes), node],
      );
      if (inserted.rowCount === 1) await effect(client);
      else {
        const found = await client.query("select digest from commits where op_id = $1 and kind = $2", [
          opId,
          kind,
        ]);
        if (found.rows[0]?.digest !== digest) throw new AlreadyDifferent(`${opId} stands for something else`);
      }
      await client.query("commit");
    } catch (error) {
      await client.query("rollback").catch(() => {
        broken = true;
      });
      throw storeError(error);
    } finally {
      client.off("error", onLost);
      client.release(broken);
    }
  }
}

function orderOf(row: Record<string, unknown>): Order {
  return {
    id: row.id as string,
    customer: row.customer as string,
    totalCents: row.total_cents as number,
    payment: {
      status: row.payment_status as Order["payment"]["status"],
      reason: row.payment_reason as string | null,
    },
    createdAt: (row.created_at as Date).toISOString(),
    items: (row.items as PricedItem[] | null) ?? [],
  };
}

// PostgreSQL error classes, appendix A of its manual: 08 connection, 53 resources, 57 operator intervention
const AWAY_CLASSES = ["08", "53", "57"];

function storeError(error: unknown): Error {
  if (error instanceof AlreadyDifferent) return error;
  const { code, message } = error as { code?: string; message: string };
  const sqlState = code !== undefined && /^[0-9A-Z]{5}$/.test(code);
  if (sqlState && !AWAY_CLASSES.includes(code.slice(0, 2))) return error as Error;
  return new StoreAway(`the database is away: ${message}`);
}
