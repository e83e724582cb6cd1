<?php
$pattern = '/' . file_get_contents($argv[1]) . '/u';
$texts = explode("\n", rtrim(file_get_contents($argv[2]), "\n"));
echo implode('', array_map(fn (string $text): int => preg_match($pattern, $text), $texts)), "\n";
