// Newtonsoft.Json 6, the version of Debian, has no naming strategies, which the generated client sets. It does not
// depend on them, because it names every member itself. These classes take their place.
namespace Vestibule
{
    internal sealed class DefaultContractResolver : Newtonsoft.Json.Serialization.DefaultContractResolver
    {
        internal CamelCaseNamingStrategy NamingStrategy { get; set; }
    }

    internal sealed class CamelCaseNamingStrategy
    {
        internal bool OverrideSpecifiedNames { get; set; }
    }
}
