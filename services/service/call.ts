export interface CallOptions {
  method?: "GET" | "POST" | "DELETE";
  body?: unknown;
  headers?: Record<string, string>;
  timeoutMs?: number;
}

export interface Answer {
  status: number;
  body: unknown;
}

const MAX_ANSWER_BYTES = 1 << 20;

/** One JSON exchange with a time limit, a size limit and no redirects. Throws only when no answer came. */
export async function call(url: string, options: CallOptions = {}): Promise<Answer> {
  const response = await fetch(url, {
    method: options.method ?? "GET",
    redirect: "error",
    signal: AbortSignal.timeout(options.timeoutMs ?? 2000),
    headers: {
      accept: "application/json",
      ...(options.body === undefined ? {} : { "content-type": "application/json" }),
      ...options.headers,
    },
    ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
  });
  const text = await readBounded(response);
  try {
    return { status: response.status, body: text === "" ? undefined : JSON.parse(text) };
  } catch {
    throw new Error(`${url}: the answer is not JSON`);
  }
}

async function readBounded(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  if (response.body)
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      bytes += chunk.length;
      if (bytes > MAX_ANSWER_BYTES) throw new Error("the answer is too large");
      chunks.push(chunk);
    }
  return Buffer.concat(chunks).toString("utf8");
}
