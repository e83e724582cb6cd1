import { readFileSync } from "node:fs";
import { argv } from "node:process";

const pattern = new RegExp(readFileSync(argv[2], "utf8"));
const texts = readFileSync(argv[3], "utf8").trimEnd().split("\n");
console.log(texts.map((text) => (pattern.test(text) ? "1" : "0")).join(""));
