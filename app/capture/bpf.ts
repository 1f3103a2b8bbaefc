import { CulvertError } from "../../ffi/error.ts";

/** An instruction of the classic BSD Packet Filter: `struct sock_filter`. */
export interface Instruction {
  /** What it does. */
  readonly code: number;
  /** Instructions to skip if a comparison holds. */
  readonly jt: number;
  /** Instructions to skip if it does not. */
  readonly jf: number;
  /** Its operand. */
  readonly k: number;
}

/**
 * Bytes of a frame that its filter lets through: 0 if it does not match.
 *
 * @param bytes Where the frame lies.
 * @param from Its first byte there.
 * @param captured Bytes of it that were captured.
 * @param wire Bytes that it had on the wire.
 */
export type Filter = (bytes: Uint8Array, from: number, captured: number, wire: number) => number;

/** Classes of instructions, and their parts (Linux: `linux/bpf_common.h`). */
const LD = 0, LDX = 1, ST = 2, STX = 3, ALU = 4, JMP = 5, RET = 6;
const SIZES: Readonly<Record<number, number>> = { 0x00: 4, 0x08: 2, 0x10: 1 };
const IMM = 0x00, ABS = 0x20, IND = 0x40, MEM = 0x60, LEN = 0x80, MSH = 0xa0;
const OPERATORS: Readonly<Record<number, (a: string, b: string) => string>> = {
  0x00: (a, b) => `${a} + ${b}`,
  0x10: (a, b) => `${a} - ${b}`,
  0x20: (a, b) => `Math.imul(${a}, ${b})`,
  0x40: (a, b) => `${a} | ${b}`,
  0x50: (a, b) => `${a} & ${b}`,
  0x60: (a, b) => `${b} < 32 ? ${a} << ${b} : 0`,
  0x70: (a, b) => `${b} < 32 ? ${a} >>> ${b} : 0`,
  0xa0: (a, b) => `${a} ^ ${b}`,
};
const DIVIDE = 0x30, NEGATE = 0x80, MODULO = 0x90;
const TESTS: Readonly<Record<number, (b: string) => string>> = {
  0x10: (b) => `a === ${b}`,
  0x20: (b) => `a > ${b}`,
  0x30: (b) => `a >= ${b}`,
  0x40: (b) => `(a & ${b}) !== 0`,
};
const MEMORY_WORDS = 16;

/**
 * Compile a filter into a function of JavaScript. A jump is one more turn of a loop around a
 * `switch`: V8 makes a jump table of it, and a jump may lead back, as in libpcap's `protochain`.
 *
 * A load that reaches behind the captured bytes ends the filter with 0, as in the kernel.
 *
 * @throws {CulvertError} if an instruction is unknown, or a jump leads out of the filter.
 */
export function filterOf(program: readonly Instruction[]): Filter {
  const targets = new Set([0]);
  const lines = program.map((instruction, at) => statementOf(instruction, at, program, targets));
  const body = [
    '"use strict"; let a = 0, x = 0, at = 0, b = 0, next = 0;',
    `let ${Array.from({ length: MEMORY_WORDS }, (_, i) => `m${i} = 0`).join(", ")};`,
    "for (;;) switch (next) {",
    ...lines.map((line, at) => targets.has(at) ? `case ${at}: ${line}` : line),
    "default: return 0; }",
  ];
  return new Function("u8", "from", "captured", "wire", body.join("\n")) as Filter;
}

function statementOf(
  instruction: Instruction,
  at: number,
  program: readonly Instruction[],
  targets: Set<number>,
): string {
  const { code, k } = instruction;
  const word = k >>> 0;
  const jump = (skipped: number) => {
    if (skipped === 0) return "";
    const target = at + 1 + (skipped | 0);
    if (target < 0 || target >= program.length) refuse(instruction, at, "jumps out of the filter");
    targets.add(target);
    return `next = ${target}; continue;`;
  };
  switch (code & 7) {
    case LD:
    case LDX:
      return `${(code & 7) === LD ? "a" : "x"} = ${loaded(instruction, at)}`;
    case ST:
    case STX:
      return `m${memory(instruction, at)} = ${(code & 7) === ST ? "a" : "x"};`;
    case ALU:
      return computed(instruction, at);
    case JMP: {
      if ((code & 0xf0) === 0) return jump(word);
      const test = TESTS[code & 0xf0];
      if (!test) refuse(instruction, at, "is no comparison");
      const condition = test(code & 8 ? "x" : `${word}`);
      const [then, otherwise] = [jump(instruction.jt), jump(instruction.jf)];
      return `if (${condition}) { ${then} } else { ${otherwise} }`;
    }
    case RET:
      return `return ${(code & 0x18) === 0x10 ? "a" : word};`;
    default: // 7: between the registers
      return code & 0x80 ? "a = x;" : "x = a;";
  }
}

/** The rest of an assignment: the value that a load gives. */
function loaded(instruction: Instruction, at: number): string {
  const { code, k } = instruction;
  const mode = code & 0xe0;
  if (mode === IMM) return `${k >>> 0};`;
  if (mode === LEN) return "wire;";
  if (mode === MEM) return `m${memory(instruction, at)};`;
  const size = SIZES[code & 0x18];
  const isX = (code & 7) === LDX;
  if (size === undefined || (isX ? mode !== MSH : mode !== ABS && mode !== IND)) {
    refuse(instruction, at, "is no load");
  }
  const offset = mode === IND ? `x + ${k >>> 0}` : `${k >>> 0}`;
  const bytes = Array.from({ length: size }, (_, i) => `u8[at + ${i}] << ${8 * (size - 1 - i)}`);
  const value = isX ? "(u8[at] & 15) << 2" : `(${bytes.join(" | ")}) >>> 0`;
  return `(at = ${offset}) > captured - ${size} ? -1 : (at += from, ${value}); ` +
    `if (${isX ? "x" : "a"} < 0) return 0;`;
}

function computed(instruction: Instruction, at: number): string {
  const operation = instruction.code & 0xf0;
  const b = instruction.code & 8 ? "x" : `${instruction.k >>> 0}`;
  if (operation === NEGATE) return "a = -a >>> 0;";
  if (operation === DIVIDE || operation === MODULO) {
    return `b = ${b}; if (b === 0) return 0; a = ` +
      (operation === DIVIDE ? "Math.floor(a / b);" : "a % b;");
  }
  const operator = OPERATORS[operation];
  if (!operator) refuse(instruction, at, "is no operation");
  return `b = ${b}; a = (${operator("a", "b")}) >>> 0;`;
}

function memory(instruction: Instruction, at: number): number {
  if (instruction.k >>> 0 < MEMORY_WORDS) return instruction.k;
  refuse(instruction, at, "names memory that there is not");
}

function refuse({ code, k }: Instruction, at: number, what: string): never {
  throw new CulvertError(
    `Cannot use the filter as its instruction ${at} (code 0x${
      code.toString(16)
    }, k ${k}) ${what}: ` +
      `write another one`,
  );
}
