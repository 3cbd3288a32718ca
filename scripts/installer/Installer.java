import java.io.BufferedInputStream;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;

/**
 * Installs archives as Elasticsearch's plugin installer does, with the JDK's own readers of ZIPs and properties, and says
 * what came of each: paths on standard input, one line of JSON each on standard output, in the same order.
 *
 * <p>The steps and their order are those of InstallPluginAction and PluginDescriptor of elastic/elasticsearch, as far as
 * they are calls of the JDK. Where versions of Elasticsearch differ, the mildest counts: what is refused here is refused by
 * all. Left out is what is Elasticsearch's own code: the syntax of java.version, jar hell, entitlements.
 */
public final class Installer {

    public static void main(String[] arguments) throws IOException {
        Path home = Files.createTempDirectory("installer-");
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        try (BufferedReader paths = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
            for (String path = paths.readLine(); path != null; path = paths.readLine()) {
                out.println(new Installer(Files.createTempDirectory(home, "elasticsearch-")).verdictOn(Path.of(path)));
            }
        } finally {
            remove(home);
        }
    }

    /** In bytes: an archive that unpacks to more is read on, but the rest is not written. */
    private static final long MOST_WRITTEN = 1L << 20;

    private final Path home;
    private int entries = 0;
    private Map<String, String> descriptor = Map.of();

    private Installer(Path home) {
        this.home = home;
    }

    private String verdictOn(Path archive) throws IOException {
        String step = "unzip";
        try {
            Path plugins = Files.createDirectory(home.resolve("plugins"));
            Path root = unzip(archive, plugins);
            step = "descriptor";
            String name = readDescriptor(root);
            step = "install";
            install(root, plugins, name);
            return "{\"_tag\":\"Installed\",\"entries\":" + entries + ",\"descriptor\":" + json(descriptor) + "}";
        } catch (IOException | RuntimeException reason) {
            String shown = reason.toString().replace(home.toString(), "");
            return "{\"_tag\":\"Refused\",\"step\":" + json(step) + ",\"reason\":" + json(shown) + "}";
        } finally {
            remove(home);
        }
    }

    // InstallPluginAction.unzip
    private Path unzip(Path archive, Path plugins) throws IOException {
        Path target = Files.createTempDirectory(plugins, ".installing-");
        long written = 0;
        try (ZipInputStream zip = new ZipInputStream(new BufferedInputStream(Files.newInputStream(archive)))) {
            byte[] buffer = new byte[8192];
            for (ZipEntry entry = zip.getNextEntry(); entry != null; entry = zip.getNextEntry()) {
                entries += 1;
                refuseIf(entry.getName().startsWith("elasticsearch/"), "an older plugin structure, with elasticsearch/");
                Path file = target.resolve(entry.getName());
                boolean isInside = file.normalize().startsWith(target);
                refuseIf(!isInside, "'" + entry.getName() + "' resolves outside of the plugin's folder");
                Files.createDirectories(file.getParent());
                if (!entry.isDirectory()) {
                    try (OutputStream out = Files.newOutputStream(file)) {
                        for (int length = zip.read(buffer); length >= 0; length = zip.read(buffer)) {
                            written += length;
                            if (written <= MOST_WRITTEN) {
                                out.write(buffer, 0, length);
                            }
                        }
                    }
                }
                zip.closeEntry();
            }
        }
        return target;
    }

    // PluginDescriptor.readFromProperties; returns the plugin's name.
    private String readDescriptor(Path root) throws IOException {
        Path classic = root.resolve("plugin-descriptor.properties");
        Path stable = root.resolve("stable-plugin-descriptor.properties");
        boolean isStable = Files.exists(stable);
        refuseIf(isStable && Files.exists(classic), "both a stable and a classic descriptor");
        refuseIf(!isStable && !Files.exists(classic), "no descriptor");

        Properties properties = new Properties();
        try (InputStream stream = Files.newInputStream(isStable ? stable : classic)) {
            properties.load(stream);
        }
        descriptor = new TreeMap<>();
        properties.stringPropertyNames().forEach(key -> descriptor.put(key, properties.getProperty(key)));

        refuseIf(isEmpty("name"), "[name] is missing");
        refuseIf(!descriptor.containsKey("description"), "[description] is missing");
        refuseIf(!descriptor.containsKey("version"), "[version] is missing");
        refuseIf(isEmpty("java.version"), "[java.version] is missing");
        // It has to equal the running version, and no version was ever called otherwise.
        String version = descriptor.getOrDefault("elasticsearch.version", "");
        refuseIf(!version.matches("\\d+\\.\\d+\\.\\d+(-(alpha|beta|rc)\\d+)?(-SNAPSHOT)?"), "no version [" + version + "]");
        boolean isBootstrap = "bootstrap".equalsIgnoreCase(descriptor.get("type"));
        refuseIf(!isStable && !isBootstrap && !descriptor.containsKey("classname"), "[classname] is missing");
        for (String key : List.of("has.native.controller", "licensed", "modular")) {
            refuseIf(!isEmpty(key) && !Set.of("true", "false").contains(descriptor.get(key)), "[" + key + "] is no boolean");
        }
        refuseIf("true".equals(descriptor.get("has.native.controller")), "plugins can not have native controllers");
        Set<String> unknown = new TreeSet<>(descriptor.keySet());
        unknown.removeAll(isStable ? STABLE_KEYS : CLASSIC_KEYS);
        boolean isIgnored = version.matches("[0-6]\\..*");
        refuseIf(!unknown.isEmpty() && !isIgnored, "unknown properties " + unknown);
        return descriptor.get("name");
    }

    private static final Set<String> STABLE_KEYS =
        Set.of("name", "description", "version", "elasticsearch.version", "java.version", "modular");

    /** Of every version since 7.0; some before it ignored what they did not know. */
    private static final Set<String> CLASSIC_KEYS = new HashSet<>(List.of(
        "name", "description", "version", "elasticsearch.version", "java.version", "classname", "extended.plugins",
        "has.native.controller", "requires.keystore", "type", "java.opts", "licensed", "modulename", "deployment.target",
        "native.controller.enabled.settings"));

    private boolean isEmpty(String key) {
        return descriptor.getOrDefault(key, "").isBlank();
    }

    // InstallPluginAction.installPlugin: installBin, installConfig, movePlugin
    private void install(Path root, Path plugins, String name) throws IOException {
        Path destination = plugins.resolve(name);
        refuseIf(!plugins.equals(destination.normalize().getParent()), "[name] leads out of the folder of plugins");
        for (String folder : List.of("bin", "config")) {
            Path source = root.resolve(folder);
            if (Files.exists(source)) {
                refuseIf(!Files.isDirectory(source), folder + " is not a directory");
                Path copies = Files.createDirectories(home.resolve(folder).resolve(name));
                try (DirectoryStream<Path> files = Files.newDirectoryStream(source)) {
                    for (Path file : files) {
                        refuseIf(Files.isDirectory(file), "directories not allowed in " + folder);
                        Files.copy(file, copies.resolve(source.relativize(file)));
                    }
                }
            }
        }
        Files.move(root, destination, StandardCopyOption.ATOMIC_MOVE);
    }

    private static void refuseIf(boolean isSo, String reason) {
        if (isSo) {
            throw new IllegalStateException(reason);
        }
    }

    private static void remove(Path folder) throws IOException {
        if (!Files.exists(folder)) {
            return;
        }
        try (Stream<Path> paths = Files.walk(folder)) {
            for (Path path : paths.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(path);
            }
        }
    }

    private static String json(Map<String, String> values) {
        StringBuilder out = new StringBuilder();
        values.forEach((key, value) ->
            out.append(out.length() == 0 ? "" : ",").append(json(key)).append(":").append(json(value)));
        return "{" + out + "}";
    }

    private static String json(String text) {
        StringBuilder out = new StringBuilder();
        for (char each : text.toCharArray()) {
            boolean isPlain = each >= ' ' && each < 0x7f && each != '"' && each != '\\';
            out.append(isPlain ? String.valueOf(each) : String.format("\\u%04x", (int) each));
        }
        return "\"" + out + "\"";
    }
}
