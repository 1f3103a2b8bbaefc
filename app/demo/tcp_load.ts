/**
 * TCP at full speed for some seconds. `tcp_load.ts serve` is the one end, `tcp_load.ts run ADDRESS
 * SECONDS` the other: it sends, then it receives. The bytes are counted where they arrive.
 *
 * @module
 */
const PORT = 5201;
const CHUNK = 128 * 1024;

/** What the server is asked to do: the first byte of a connection. */
const RECEIVE = 1, SEND = 2;

/** Receive until the other end closes, or until `deadline`; returns the number of bytes. */
async function receive(connection: Deno.TcpConn, deadline = Infinity): Promise<number> {
  const buffer = new Uint8Array(CHUNK);
  let total = 0;
  for (let count; (count = await connection.read(buffer)) !== null;) {
    total += count;
    if (performance.now() >= deadline) break;
  }
  return total;
}

/** Send until `deadline`; without one, until the other end closes. */
async function send(connection: Deno.TcpConn, deadline = Infinity): Promise<void> {
  const chunk = new Uint8Array(CHUNK);
  try {
    while (performance.now() < deadline) await connection.write(chunk);
  } catch (error) {
    if (deadline !== Infinity) throw error;
  }
}

async function serve(): Promise<void> {
  using listener = Deno.listen({ port: PORT });
  console.log("listening");
  for await (const connection of listener) {
    using closing = connection;
    const order = new Uint8Array(1);
    await closing.read(order);
    if (order[0] === SEND) await send(closing);
    else {
      const total = await receive(closing);
      await closing.write(new Uint8Array(Float64Array.of(total).buffer));
    }
  }
}

/** One direction; returns the bytes that arrived. */
async function measure(address: string, order: number, seconds: number): Promise<number> {
  using connection = await Deno.connect({ hostname: address, port: PORT });
  await connection.write(Uint8Array.of(order));
  const deadline = performance.now() + seconds * 1000;
  if (order === SEND) return await receive(connection, deadline);
  await send(connection, deadline);
  await connection.closeWrite();
  const total = new Uint8Array(8);
  await connection.read(total);
  return new Float64Array(total.buffer)[0];
}

async function run(address: string, seconds: number): Promise<void> {
  for (const [order, direction] of [[RECEIVE, "to"], [SEND, "from"]] as const) {
    const start = performance.now();
    const bytes = await measure(address, order, seconds);
    const time = (performance.now() - start) / 1000;
    const speed = (bytes * 8 / time / 1e9).toFixed(2);
    console.log(
      `${direction.padEnd(4)} ${address}: ${speed} Gbits/sec, ` +
        `${Math.round(bytes / 1e6)} MB received in ${time.toFixed(2)} s`,
    );
  }
}

if (import.meta.main) {
  const [role, address, seconds] = Deno.args;
  await (role === "serve" ? serve() : run(address, Number(seconds)));
}
