import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Pattern;

class Engine {
    public static void main(String[] arguments) throws Exception {
        Pattern pattern = Pattern.compile(Files.readString(Path.of(arguments[0])));
        StringBuilder found = new StringBuilder();
        for (String text : Files.readString(Path.of(arguments[1])).stripTrailing().split("\n")) {
            found.append(pattern.matcher(text).find() ? "1" : "0");
        }
        System.out.println(found);
    }
}
