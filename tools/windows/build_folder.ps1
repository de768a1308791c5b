# Build a folder for Windows that starts by double click: the embeddable Python, the program and its
# libraries. NOT RUN so far: it was written on Linux, from the documentation of the embeddable package.
#
#   powershell -ExecutionPolicy Bypass -File tools\windows\build_folder.ps1 `
#     -Embeddable python-3.11.9-embed-amd64.zip -Folder "PyMAF Live"
#
# -Embeddable: the "Windows embeddable package (64-bit)" of python.org, downloaded by you.
# A Python of the same version with pip must be on the path as `python`.
param(
  [Parameter(Mandatory)] [string] $Embeddable,
  [Parameter(Mandatory)] [string] $Folder
)
$ErrorActionPreference = "Stop"
$root = Resolve-Path "$PSScriptRoot\..\.."
if (Test-Path $Folder) { throw "$Folder exists" }
New-Item -ItemType Directory $Folder | Out-Null
Expand-Archive $Embeddable "$Folder\python"
# the embeddable package reads its paths from this file and nothing else
Get-ChildItem "$Folder\python\python*._pth" | ForEach-Object {
  Add-Content $_ "Lib\site-packages"
  Add-Content $_ "import site"
}
python -m pip install --no-compile --disable-pip-version-check --target "$Folder\python\Lib\site-packages" "$root"
if ($LASTEXITCODE) { throw "pip failed" }
Set-Content "$Folder\PyMAF Live.cmd" -Encoding ascii -Value @"
@start "" "%~dp0python\pythonw.exe" -m pymaf_live %*
"@
Set-Content "$Folder\pymaf-live.cmd.txt" -Encoding ascii -Value @"
Commands in a terminal: python\python.exe -m pymaf_live --help
"@
Copy-Item "$root\LICENSE", "$root\THIRD_PARTY.md" $Folder
python -m venv "$Folder.tools"
& "$Folder.tools\Scripts\python" -m pip install --quiet "cyclonedx-bom==7.5.0"
& "$Folder.tools\Scripts\python" -m cyclonedx_py environment "$Folder\python\python.exe" `
  --output-format JSON --output-file "$Folder\sbom.cdx.json"
Remove-Item -Recurse -Force "$Folder.tools"
& "$Folder\python\python.exe" -m pymaf_live --version
if ($LASTEXITCODE) { throw "the program does not start" }
