using System;
using System.IO;
using System.Linq;
using System.Text.RegularExpressions;

static class Engine
{
    static void Main(string[] arguments)
    {
        var pattern = new Regex(File.ReadAllText(arguments[0]));
        var texts = File.ReadAllText(arguments[1]).TrimEnd('\n').Split('\n');
        Console.WriteLine(string.Concat(texts.Select(text => pattern.IsMatch(text) ? "1" : "0")));
    }
}
