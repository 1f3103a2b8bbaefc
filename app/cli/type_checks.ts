/**
 * Runs Deno with the arguments of each line of its input, a list in JSON; answers each with a line
 * of JSON: what Deno printed if it failed, else an empty text.
 *
 * @module
 */
const lines = Deno.stdin.readable.pipeThrough(new TextDecoderStream());
let text = "";
for await (const chunk of lines) {
  text += chunk;
  for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n")) {
    const args: string[] = JSON.parse(text.slice(0, end));
    text = text.slice(end + 1);
    const { success, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
    console.log(JSON.stringify(success ? "" : new TextDecoder().decode(stderr)));
  }
}
